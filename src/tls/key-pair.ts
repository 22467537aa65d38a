import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { KeyPair } from './certificates.ts'

/** A serving certificate that may be used, and what an operator wants to know of it. */
export interface ServingKeyPair extends KeyPair {
  notAfter: Date
  fingerprint256: string
}

/**
 * Checks that a certificate and a key, both PEM, belong together, as they do not for the moment in which only one of
 * the two files was replaced. Throws an Error that says what is wrong and never shows the key.
 */
export function parseKeyPair (certificate: string, privateKey: string): ServingKeyPair {
  const parsed = parseCertificate(certificate)
  if (!parsed.checkPrivateKey(parsePrivateKey(privateKey))) throw new Error('the private key does not belong to the certificate')
  return { certificate, privateKey, notAfter: new Date(parsed.validTo), fingerprint256: parsed.fingerprint256 }
}

/** Whether a text is a PEM certificate, or begins with one. */
export function isCertificate (text: string): boolean {
  try {
    parseCertificate(text)
    return true
  } catch {
    return false
  }
}

function parseCertificate (certificate: string): X509Certificate {
  try {
    return new X509Certificate(certificate)
  } catch {
    throw new Error('the certificate file holds no PEM certificate')
  }
}

function parsePrivateKey (privateKey: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(privateKey)
  } catch {
    throw new Error('the key file holds no unencrypted PEM private key')
  }
}
