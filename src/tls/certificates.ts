import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import forge from 'node-forge'

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  certificate: string
  privateKey: string
}

/** How long a certificate holds, from when. */
export interface Validity {
  notBefore: Date
  days: number
}

/** Who a leaf certificate is for; `names` are DNS names and IP addresses, in any order. */
export interface LeafSubject extends Validity {
  commonName: string
  names?: string[]
  usage: 'serverAuth' | 'clientAuth'
}

type Extensions = Parameters<forge.pki.Certificate['setExtensions']>[0]

const DAY_MS = 24 * 60 * 60 * 1000
const RSA_BITS = 2048
const generateKeys = promisify(generateKeyPair)

/**
 * Makes a certificate authority that can sign leaf certificates and nothing below them (RFC 5280: CA, path length 0).
 * node:crypto makes the RSA key, off the event loop; node-forge builds and signs.
 */
export async function createCertificateAuthority (subject: Validity & { commonName: string }): Promise<KeyPair> {
  const keys = await generateRsaKeys()
  const name = [{ name: 'commonName', value: subject.commonName }]
  return sign({ ...keys, subject: name, issuer: name, signingKey: keys.privateKey, validity: subject }, (keyIdentifier) => [
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier }
  ])
}

/** Issues a serving or client certificate, signed by `authority`. Go's TLS reads only the subject alternative names. */
export async function issueCertificate (authority: KeyPair, subject: LeafSubject): Promise<KeyPair> {
  const keys = await generateRsaKeys()
  const issuer = forge.pki.certificateFromPem(authority.certificate)
  const issuerKeyIdentifier = issuer.generateSubjectKeyIdentifier().getBytes()
  const altNames = (subject.names ?? []).map(toAltName)
  return sign({
    ...keys,
    subject: [{ name: 'commonName', value: subject.commonName }],
    issuer: issuer.subject.attributes,
    signingKey: authority.privateKey,
    validity: subject
  }, () => [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', [subject.usage]: true },
    ...(altNames.length > 0 ? [{ name: 'subjectAltName', altNames }] : []),
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: issuerKeyIdentifier }
  ])
}

interface SigningRequest {
  publicKey: string
  privateKey: string
  subject: forge.pki.CertificateField[]
  issuer: forge.pki.CertificateField[]
  signingKey: string
  validity: Validity
}

function sign (request: SigningRequest, extensions: (ownKeyIdentifier: string) => Extensions): KeyPair {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(request.publicKey)
  certificate.serialNumber = randomSerialNumber()
  certificate.validity.notBefore = request.validity.notBefore
  certificate.validity.notAfter = new Date(request.validity.notBefore.getTime() + request.validity.days * DAY_MS)
  certificate.setSubject(request.subject)
  certificate.setIssuer(request.issuer)
  certificate.setExtensions(extensions(certificate.generateSubjectKeyIdentifier().getBytes()))
  certificate.sign(forge.pki.privateKeyFromPem(request.signingKey), forge.md.sha256.create())
  const pem = forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n')
  return { certificate: new X509Certificate(pem).toString(), privateKey: request.privateKey }
}

async function generateRsaKeys (): Promise<{ publicKey: string, privateKey: string }> {
  return generateKeys('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
  })
}

/** 127 random bits, never zero and never negative in DER (RFC 5280, 4.1.2.2). */
function randomSerialNumber (): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes.readUInt8(0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** Throws for an address with a zone, which a certificate can not hold. */
function toAltName (name: string): { type: number, value?: string, ip?: string } {
  if (isIP(name) === 0) return { type: 2, value: name }
  if (name.includes('%')) throw new Error(`${name}: a certificate can not name an address with a zone; leave "%..." out`)
  return { type: 7, ip: isIP(name) === 6 ? formatPlainIpv6(name) : name }
}

/** node-forge does not know the notation with an IPv4 address at the end. */
function formatPlainIpv6 (address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}
