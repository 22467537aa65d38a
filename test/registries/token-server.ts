import { randomUUID, sign, X509Certificate } from 'node:crypto'
import type { Test } from 'tap'
import type { TokenAuth } from '../helpers/registry-program.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { startFakeRegistry } from './fake-registry.ts'

/** A token server that knows one user. */
export interface TokenServer {
  /** For the registry. */
  auth: TokenAuth
  /** PEM of the CA that signed its certificate. */
  caCertificate: string
  /** Whom its tokens name as their issuer from now on. */
  setIssuer: (issuer: string) => void
}

const SERVICE = 'test registry'
const ISSUER = 'test issuer'
const LIFETIME_SECONDS = 300

/** Starts a server that answers as distribution's token specification says: RS256, the signer's certificate in x5c. */
export async function startTokenServer (t: Test, { username, password }: { username: string, password: string }): Promise<TokenServer> {
  const authority = await createTestAuthority()
  const signer = await authority.issueServer()
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  let issuer = ISSUER
  const server = await startFakeRegistry(t, ({ path, authorization }) => {
    if (!path.startsWith('/token?')) return { status: 404 }
    if (authorization !== expected) return { status: 401 }
    return { status: 200, body: JSON.stringify({ token: signToken(signer, issuer) }) }
  })
  return {
    auth: { realm: `https://${server.host}/token`, service: SERVICE, issuer: ISSUER, rootCertificates: authority.certificate },
    caCertificate: server.caCertificate,
    setIssuer: (name) => { issuer = name }
  }
}

function signToken ({ certificate, privateKey }: { certificate: string, privateKey: string }, issuer: string): string {
  const now = Math.floor(Date.now() / 1000)
  const header = { typ: 'JWT', alg: 'RS256', x5c: [new X509Certificate(certificate).raw.toString('base64')] }
  const claims = { iss: issuer, sub: '', aud: SERVICE, exp: now + LIFETIME_SECONDS, nbf: now - 60, iat: now, jti: randomUUID(), access: [] }
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`
}
