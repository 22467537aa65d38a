import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type ConnectionOptions, type TlsOptions, type TLSSocket } from 'node:tls'
import forge from 'node-forge'
import t, { type Test } from 'tap'
import { createCertificateAuthority, issueCertificate, type KeyPair } from '../../src/tls/certificates.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const SERVER_NAMES = ['pullkeeper.pullkeeper-system.svc', '*.example.com', '10.0.0.1', '127.0.0.1', '::1', '2001:db8::a:1']

/** A day ago, on a whole second, as certificates have it. */
const notBefore = new Date(Math.floor(Date.now() / 1000) * 1000 - DAY_MS)
const authority = await createCertificateAuthority({ commonName: 'pullkeeper test CA', notBefore, days: 10 })
const otherAuthority = await createCertificateAuthority({ commonName: 'pullkeeper test CA', notBefore, days: 10 })
const client = await issueCertificate(authority, { commonName: 'kube-apiserver', usage: 'clientAuth', notBefore, days: 5 })

const issueServer = (names: string[]): Promise<KeyPair> => issueCertificate(authority, { commonName: 'pullkeeper', names, usage: 'serverAuth', notBefore, days: 5 })
const server = await issueServer(SERVER_NAMES)

const read = ({ certificate }: KeyPair): X509Certificate => new X509Certificate(certificate)

/** Both key identifiers in lower-case hex, read from the raw extensions. */
const readKeyIdentifiers = ({ certificate }: KeyPair): { subject: string, authority: string } => {
  const parsed = forge.pki.certificateFromPem(certificate)
  const subject = parsed.getExtension('subjectKeyIdentifier') as { subjectKeyIdentifier: string }
  const authority = parsed.getExtension('authorityKeyIdentifier') as { value: string }
  const [keyIdentifier] = forge.asn1.fromDer(authority.value).value as forge.asn1.Asn1[]
  return { subject: subject.subjectKeyIdentifier, authority: forge.util.bytesToHex(String(keyIdentifier?.value)) }
}

t.test('an authority signs itself and may sign others', async (t) => {
  const certificate = read(authority)
  t.equal(certificate.ca, true)
  t.equal(certificate.subject, 'CN=pullkeeper test CA')
  t.equal(certificate.issuer, certificate.subject)
  t.ok(certificate.verify(certificate.publicKey))
  t.equal(certificate.subjectAltName, undefined)
})

t.test('an authority signs leaves and nothing below them', async (t) => {
  const parsed = forge.pki.certificateFromPem(authority.certificate)
  t.match(parsed.getExtension('basicConstraints'), { cA: true, pathLenConstraint: 0, critical: true })
  t.match(parsed.getExtension('keyUsage'), { keyCertSign: true, cRLSign: true, digitalSignature: false, critical: true })
})

for (const [name, pair, usage] of [['serving', server, SERVER_AUTH], ['client', client, CLIENT_AUTH]] as const) {
  t.test(`a ${name} certificate is signed by its authority and signs nothing`, async (t) => {
    const certificate = read(pair)
    t.equal(certificate.ca, false)
    t.ok(certificate.verify(read(authority).publicKey))
    t.notOk(certificate.verify(read(otherAuthority).publicKey))
    t.ok(certificate.checkIssued(read(authority)))
    t.strictSame(certificate.keyUsage, [usage])
    const parsed = forge.pki.certificateFromPem(pair.certificate)
    t.match(parsed.getExtension('keyUsage'), { digitalSignature: true, keyEncipherment: true, keyCertSign: false, critical: true })
  })
}

t.test('every certificate comes with its own key of 2,048 bits, signed with SHA-256', async (t) => {
  for (const pair of [authority, server, client]) {
    t.ok(read(pair).checkPrivateKey(createPrivateKey(pair.privateKey)))
    t.match(read(pair).publicKey.asymmetricKeyDetails, { modulusLength: 2048 })
    t.equal(forge.pki.certificateFromPem(pair.certificate).signatureOid, forge.pki.oids['sha256WithRSAEncryption'])
  }
  t.equal(new Set([authority, otherAuthority, server, client].map(({ privateKey }) => privateKey)).size, 4)
})

t.test('key identifiers lead from the leaf to its authority', async (t) => {
  const { subject } = readKeyIdentifiers(authority)
  t.match(subject, /^[0-9a-f]{40}$/)
  t.equal(readKeyIdentifiers(authority).authority, subject)
  for (const leaf of [server, client]) {
    t.equal(readKeyIdentifiers(leaf).authority, subject)
    t.not(readKeyIdentifiers(leaf).subject, subject)
  }
  t.not(readKeyIdentifiers(otherAuthority).subject, subject)
})

t.test('a certificate holds from the date that was given, for the days that were given', async (t) => {
  for (const [pair, days] of [[authority, 10], [server, 5], [client, 5]] as const) {
    t.strictSame(read(pair).validFromDate, notBefore)
    t.strictSame(read(pair).validToDate, new Date(notBefore.getTime() + days * DAY_MS))
  }
})

t.test('dates from 2050 on are written as RFC 5280 wants them', async (t) => {
  const pair = await createCertificateAuthority({ commonName: 'late', notBefore: new Date('2049-12-31T12:00:00Z'), days: 1 })
  t.strictSame(read(pair).validFromDate, new Date('2049-12-31T12:00:00Z'))
  t.strictSame(read(pair).validToDate, new Date('2050-01-01T12:00:00Z'))
})

t.test('serial numbers are positive, long and never the same', async (t) => {
  const serials = [authority, otherAuthority, server, client].map((pair) => read(pair).serialNumber)
  for (const serial of serials) t.match(serial, /^[4-7][0-9A-F]{31}$/)
  t.equal(new Set(serials).size, serials.length)
})

t.test('names stand as names, addresses as addresses', async (t) => {
  t.strictSame(read(server).subjectAltName?.split(', '), [
    'DNS:pullkeeper.pullkeeper-system.svc', 'DNS:*.example.com', 'IP Address:10.0.0.1', 'IP Address:127.0.0.1',
    'IP Address:0:0:0:0:0:0:0:1', 'IP Address:2001:DB8:0:0:0:0:A:1'
  ])
  t.equal(read(server).checkHost('pullkeeper.pullkeeper-system.svc'), 'pullkeeper.pullkeeper-system.svc')
  t.equal(read(server).checkHost('a.example.com'), '*.example.com')
  for (const name of ['pullkeeper', 'pullkeeper.other.svc', 'a.b.example.com', '10.0.0.1']) t.equal(read(server).checkHost(name), undefined, name)
  t.equal(read(server).checkIP('2001:db8:0::A:1'), '2001:db8:0::A:1')
  t.equal(read(server).checkIP('10.0.0.2'), undefined)
})

t.test('an IPv4 address in the words of IPv6 is an address, too', async (t) => {
  t.ok(read(await issueServer(['::ffff:192.0.2.1'])).checkIP('::ffff:192.0.2.1'))
})

t.test('an address with a zone, which no certificate can hold, is refused', async (t) => {
  await t.rejects(issueServer(['fe80::1%eth0']))
})

t.test('without names there is no subjectAltName', async (t) => {
  t.equal(read(client).subjectAltName, undefined)
  t.equal(read(await issueServer([])).subjectAltName, undefined)
})

t.test('PEM has one certificate, with line feeds only', async (t) => {
  for (const pem of [authority.certificate, server.certificate, server.privateKey]) {
    t.match(pem, /^-----BEGIN [A-Z ]+-----\n[^-]+-----END [A-Z ]+-----\n$/)
    t.notMatch(pem, /\r/)
  }
})

/** Starts a TLS server that says who the client is, and ends it with the test. */
async function listen (t: Test, pair: KeyPair, options: TlsOptions = {}): Promise<number> {
  const tlsServer = createServer({ cert: pair.certificate, key: pair.privateKey, ...options }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(socket.authorized ? String(socket.getPeerCertificate().subject.CN) : 'anonymous')
  })
  tlsServer.on('tlsClientError', (_, socket) => socket.destroy())
  t.teardown(async () => { await new Promise((resolve) => tlsServer.close(resolve)) })
  tlsServer.listen(0, '127.0.0.1')
  await once(tlsServer, 'listening')
  return (tlsServer.address() as AddressInfo).port
}

/** What the server says, or the code of the error. */
async function greet (port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca: authority.certificate, servername: 'pullkeeper.pullkeeper-system.svc', ...options })
  try {
    const chunks: Buffer[] = await socket.toArray()
    return Buffer.concat(chunks).toString()
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    socket.destroy()
  }
}

const handshakes: [string, ConnectionOptions, string | RegExp][] = [
  ['a client that trusts the authority is served', {}, 'anonymous'],
  ['so is one that asks for another of the names', { servername: 'a.example.com' }, 'anonymous'],
  ['so is one that asks by address', { servername: '' }, 'anonymous'],
  ['a name that the certificate lacks is refused', { servername: 'pullkeeper.other.svc' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['the common name is not a name', { servername: 'pullkeeper' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['another authority of the same name is refused', { ca: otherAuthority.certificate }, /^(CERT_SIGNATURE_FAILURE|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)$/]
]

for (const [name, options, expected] of handshakes) {
  t.test(`in a TLS handshake, ${name}`, async (t) => {
    t.match(await greet(await listen(t, server), options), expected)
  })
}

t.test('in a TLS handshake, a certificate that ran out is refused', async (t) => {
  const expired = await issueCertificate(authority, { commonName: 'pullkeeper', names: SERVER_NAMES, usage: 'serverAuth', notBefore: new Date(notBefore.getTime() - 2 * DAY_MS), days: 1 })
  t.equal(await greet(await listen(t, expired)), 'CERT_HAS_EXPIRED')
})

t.test('in a TLS handshake, a client certificate does not serve', async (t) => {
  t.equal(await greet(await listen(t, client), { checkServerIdentity: () => undefined }), 'INVALID_PURPOSE')
})

t.test('in a TLS handshake, a client is known by its certificate, and a serving one is none', async (t) => {
  const options = { ca: authority.certificate, requestCert: true, rejectUnauthorized: false }
  const port = await listen(t, server, options)
  t.equal(await greet(port, { cert: client.certificate, key: client.privateKey }), 'kube-apiserver')
  t.equal(await greet(port, { cert: server.certificate, key: server.privateKey }), 'anonymous')
  t.equal(await greet(port), 'anonymous')
})
