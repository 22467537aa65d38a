import { generateKeyPair, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { createCertificateAuthority, issueCertificate } from '../../tls/certificates.ts'
import type { ClusterOptions } from '../cluster.ts'
import { writeKubeconfig } from '../kubeconfig.ts'

/** The files that the programs of a control plane read, by absolute path, and what clients need of them. */
export interface ControlPlaneFiles {
  caFile: string
  certificateFile: string
  privateKeyFile: string
  tokensFile: string
  serviceAccountPublicKeyFile: string
  serviceAccountPrivateKeyFile: string
  auditPolicyFile: string
  controllerManagerKubeconfig: string
  caCertificate: string
  adminToken: string
  /** Of the user that tries whether Pods can be created; the audit log leaves it out. */
  probeToken: string
}

const PROBE_USER = 'pullkeeper-sandbox-probe'
const VALIDITY_DAYS = 365
const CLOCK_SKEW_MS = 60 * 60 * 1000
const generateKeys = promisify(generateKeyPair)

/** Makes certificates, keys, tokens and settings for one control plane at `url`, all new, in a directory of its own. */
export async function writeControlPlaneFiles (directory: string, url: string, options: ClusterOptions): Promise<ControlPlaneFiles> {
  const files = nameFiles(directory)
  const [caCertificate] = await Promise.all([
    writeCertificates(files),
    writeServiceAccountKeys(files),
    writeFile(files.auditPolicyFile, formatAuditPolicy(options.auditLevel ?? 'Metadata'), { mode: 0o600 })
  ])
  const [adminToken, managerToken, probeToken] = [randomToken(), randomToken(), randomToken()]
  const users = { admin: adminToken, 'system:kube-controller-manager': managerToken, [PROBE_USER]: probeToken }
  await writeFile(files.tokensFile, formatTokens(users), { mode: 0o600 })
  await writeKubeconfig(files.controllerManagerKubeconfig, { url, caCertificate, token: managerToken }, { name: 'controller-manager' })
  return { ...files, caCertificate, adminToken, probeToken }
}

type FileNames = Omit<ControlPlaneFiles, 'caCertificate' | 'adminToken' | 'probeToken'>

function nameFiles (directory: string): FileNames {
  const inside = (name: string): string => join(directory, name)
  return {
    caFile: inside('ca.crt'),
    certificateFile: inside('server.crt'),
    privateKeyFile: inside('server.key'),
    tokensFile: inside('tokens.csv'),
    serviceAccountPublicKeyFile: inside('service-account.pub'),
    serviceAccountPrivateKeyFile: inside('service-account.key'),
    auditPolicyFile: inside('audit-policy.yaml'),
    controllerManagerKubeconfig: inside('controller-manager.kubeconfig')
  }
}

async function writeCertificates (files: FileNames): Promise<string> {
  const validity = { notBefore: new Date(Date.now() - CLOCK_SKEW_MS), days: VALIDITY_DAYS }
  const authority = await createCertificateAuthority({ ...validity, commonName: 'pullkeeper sandbox API' })
  const names = ['127.0.0.1', 'localhost', 'kubernetes.default.svc']
  const server = await issueCertificate(authority, { ...validity, commonName: 'kube-apiserver', names, usage: 'serverAuth' })
  await writeFile(files.caFile, authority.certificate)
  await writeFile(files.certificateFile, server.certificate)
  await writeFile(files.privateKeyFile, server.privateKey, { mode: 0o600 })
  return authority.certificate
}

async function writeServiceAccountKeys (files: FileNames): Promise<void> {
  const keys = await generateKeys('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
  })
  await writeFile(files.serviceAccountPublicKeyFile, keys.publicKey)
  await writeFile(files.serviceAccountPrivateKeyFile, keys.privateKey, { mode: 0o600 })
}

function randomToken (): string {
  return randomBytes(24).toString('base64url')
}

/** Static token file: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file */
function formatTokens (users: Record<string, string>): string {
  return Object.entries(users).map(([user, token]) => `${token},${user},${user},"system:masters"\n`).join('')
}

/** Only what changes Pods is audited: that is what the webhook's records are compared with. */
function formatAuditPolicy (level: string): string {
  return stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      { level: 'None', users: [PROBE_USER] },
      {
        level,
        verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'],
        resources: [{ group: '', resources: ['pods', 'pods/*'] }]
      },
      { level: 'None' }
    ]
  })
}
