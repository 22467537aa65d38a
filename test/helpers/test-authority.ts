import { createCertificateAuthority, issueCertificate, type KeyPair } from '../../src/tls/certificates.ts'

/** A CA of one test file. */
export interface TestAuthority extends KeyPair {
  issueServer: (options?: { names?: string[], days?: number }) => Promise<KeyPair>
  issueClient: (commonName?: string) => Promise<KeyPair>
}

const DAY_MS = 24 * 60 * 60 * 1000
const LOOPBACK_NAMES = ['127.0.0.1', 'localhost']

/** Makes a CA whose certificates are good since yesterday. */
export async function createTestAuthority (): Promise<TestAuthority> {
  const notBefore = new Date(Date.now() - DAY_MS)
  const authority = await createCertificateAuthority({ commonName: 'pullkeeper test CA', notBefore, days: 10 })
  return {
    ...authority,
    issueServer: async ({ names = LOOPBACK_NAMES, days = 5 } = {}) => issueCertificate(authority, { commonName: 'webhook', names, usage: 'serverAuth', notBefore, days }),
    issueClient: async (commonName = 'kube-apiserver') => issueCertificate(authority, { commonName, usage: 'clientAuth', notBefore, days: 5 })
  }
}
