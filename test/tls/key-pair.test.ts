import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import t from 'tap'
import { parseKeyPair } from '../../src/tls/key-pair.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'

const authority = await createTestAuthority()
const [pair, other] = await Promise.all([authority.issueServer({ days: 3 }), authority.issueServer()])

t.test('a pair that belongs together is given back with its end and fingerprint', async (t) => {
  const certificate = new X509Certificate(pair.certificate)
  t.strictSame(parseKeyPair(pair.certificate, pair.privateKey), { ...pair, notAfter: certificate.validToDate, fingerprint256: certificate.fingerprint256 })
})

t.test('of a chain the first certificate counts', async (t) => {
  const chain = pair.certificate + authority.certificate
  t.match(parseKeyPair(chain, pair.privateKey), { certificate: chain, fingerprint256: new X509Certificate(pair.certificate).fingerprint256 })
  t.throws(() => parseKeyPair(authority.certificate + pair.certificate, pair.privateKey), { message: 'the private key does not belong to the certificate' })
})

t.test('a key in PKCS#1 is good, too', async (t) => {
  const privateKey = String(createPrivateKey(pair.privateKey).export({ type: 'pkcs1', format: 'pem' }))
  t.match(parseKeyPair(pair.certificate, privateKey), { privateKey })
})

const encrypted = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'not a secret' }
}).privateKey

/** Certificate, key, and what is wrong with them. */
const refused: [string, string, string, string][] = [
  ['a key of another certificate', pair.certificate, other.privateKey, 'the private key does not belong to the certificate'],
  ['an empty certificate', '', pair.privateKey, 'the certificate file holds no PEM certificate'],
  ['a key for the certificate', pair.privateKey, pair.privateKey, 'the certificate file holds no PEM certificate'],
  ['a torn certificate', pair.certificate.slice(0, 200), pair.privateKey, 'the certificate file holds no PEM certificate'],
  ['an empty key', pair.certificate, '', 'the key file holds no unencrypted PEM private key'],
  ['a certificate for the key', pair.certificate, pair.certificate, 'the key file holds no unencrypted PEM private key'],
  ['a torn key', pair.certificate, pair.privateKey.slice(0, 200), 'the key file holds no unencrypted PEM private key'],
  ['an encrypted key', pair.certificate, encrypted, 'the key file holds no unencrypted PEM private key']
]

for (const [name, certificate, privateKey, message] of refused) {
  t.test(`refused: ${name}`, async (t) => {
    t.throws(() => parseKeyPair(certificate, privateKey), { message })
  })
}
