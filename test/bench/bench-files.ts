import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCertificateAuthority, issueCertificate } from '../../src/tls/certificates.ts'
import type { BenchContext } from './context.ts'

/** Files that the servers under test read. */
export interface BenchFiles {
  /** PEM of the authority that signed the serving certificate. */
  caCertificate: string
  certificateFile: string
  keyFile: string
  configFile: string
  decisionLogFile: string
}

/** Six rules as a platform team writes them: two clouds, a private registry with a port, a hub, an exception, a prefix. */
export const CONFIG = `apiVersion: pullkeeper.dev/v1alpha1
kind: PullSecretConfig
rules:
  - name: acr
    matchImages: ["*.azurecr.io", "*.*.geo.azurecr.io"]
    excludeImages: ["public.azurecr.io"]
    namespaces: { exclude: ["kube-*"] }
    pullSecrets: [acr-pull]
  - name: icr
    matchImages: ["icr.io", "*.icr.io"]
    pullSecrets: [icr-pull]
  - name: mesh
    matchImages: ["registry.example.com:5000/mesh/"]
    pullSecrets: [mesh-pull]
  - name: hub
    matchImages: ["docker.io"]
    namespaces: { exclude: ["dev-*"] }
    pullSecrets: [hub-pull]
  - name: ecr
    matchImages: ["*.dkr.ecr.*.amazonaws.com"]
    pullSecrets: []
  - name: github
    matchImages: ["ghcr.io/example-org/"]
    namespaces: { include: ["*"] }
    pullSecrets: [github-pull]
`

/** Makes a certificate for 127.0.0.1 and writes it, its key and the configuration. */
export async function writeBenchFiles ({ directory }: BenchContext): Promise<BenchFiles> {
  const validity = { notBefore: new Date(), days: 1 }
  const authority = await createCertificateAuthority({ ...validity, commonName: 'pullkeeper benchmark' })
  const keyPair = await issueCertificate(authority, { ...validity, commonName: 'webhook', names: ['127.0.0.1', 'localhost'], usage: 'serverAuth' })
  const files = {
    caCertificate: authority.certificate,
    certificateFile: join(directory, 'tls.crt'),
    keyFile: join(directory, 'tls.key'),
    configFile: join(directory, 'config.yaml'),
    decisionLogFile: join(directory, 'decisions.log')
  }
  await writeFile(files.certificateFile, keyPair.certificate)
  await writeFile(files.keyFile, keyPair.privateKey, { mode: 0o600 })
  await writeFile(files.configFile, CONFIG)
  return files
}
