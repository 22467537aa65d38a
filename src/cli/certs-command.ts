import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import type { KeyPair } from '../tls/certificates.ts'
import { parseDays } from './options.ts'

interface CertsCommandOptions {
  dir: string
  dns: string[]
  days: number
  caDays: number
  force: boolean
}

/** Names as Kubernetes' TLS Secrets have them. */
const CA_FILES = { certificate: 'ca.crt', privateKey: 'ca.key' } as const
const SERVING_FILES = { certificate: 'tls.crt', privateKey: 'tls.key' } as const
const PUBLIC_MODE = 0o644
const PRIVATE_MODE = 0o600

/** `pullkeeper certs`: a CA and a serving certificate for trying things out and for clusters without cert-manager. */
export function createCertsCommand (): Command {
  return new Command('certs')
    .summary('make a CA and a serving certificate')
    .description('Makes a certificate authority (ca.crt, ca.key) and a serving certificate signed by it (tls.crt, tls.key).\n' +
      'A CA that is in the directory already is used again, so that the caBundle of the registration stays right.')
    .requiredOption('--dns <names...>', 'names and IP addresses by which the webhook is called, such as pullkeeper-webhook.pullkeeper-system.svc')
    .option('--dir <directory>', 'where the files go', 'certs')
    .option('--days <days>', 'life of the serving certificate', parseDays, 365)
    .option('--ca-days <days>', 'life of the CA', parseDays, 3650)
    .option('--force', 'replace an existing serving certificate', false)
    .action(runCerts)
}

async function runCerts ({ dir, dns, days, caDays, force }: CertsCommandOptions): Promise<void> {
  const { createCertificateAuthority, issueCertificate } = await import('../tls/certificates.ts')
  const notBefore = new Date()
  await mkdir(dir, { recursive: true })
  if (!force && await readKeyPair(dir, SERVING_FILES) !== undefined) throw new Error(`${join(dir, SERVING_FILES.certificate)} exists; --force replaces it`)
  const existing = await readKeyPair(dir, CA_FILES)
  const authority = existing ?? await createCertificateAuthority({ commonName: 'pullkeeper CA', notBefore, days: caDays })
  const serving = await issueCertificate(authority, { commonName: dns[0] ?? 'pullkeeper', names: dns, usage: 'serverAuth', notBefore, days })
    .catch((error: Error) => { throw new Error(`no certificate could be signed with ${join(dir, CA_FILES.certificate)}: ${error.message}`) })
  if (existing === undefined) await writeKeyPair(dir, CA_FILES, authority)
  await writeKeyPair(dir, SERVING_FILES, serving)
  console.log(`${existing === undefined ? 'made' : 'used'} CA ${join(dir, CA_FILES.certificate)} (its content is the registration's caBundle)`)
  console.log(`made serving certificate ${join(dir, SERVING_FILES.certificate)} and key ${join(dir, SERVING_FILES.privateKey)} for ${dns.join(', ')}, ${days} days`)
}

/** Undefined when neither file is there; one without the other is refused, since making a pair would replace it. */
async function readKeyPair (dir: string, files: typeof CA_FILES | typeof SERVING_FILES): Promise<KeyPair | undefined> {
  const [certificate, privateKey] = await Promise.all([readIfPresent(join(dir, files.certificate)), readIfPresent(join(dir, files.privateKey))])
  if (certificate !== undefined && privateKey !== undefined) return { certificate, privateKey }
  if (certificate === undefined && privateKey === undefined) return undefined
  throw new Error(`${dir} holds only one of ${files.certificate} and ${files.privateKey}; put the other one beside it, or move it away`)
}

async function readIfPresent (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeKeyPair (dir: string, files: typeof CA_FILES | typeof SERVING_FILES, { certificate, privateKey }: KeyPair): Promise<void> {
  await rm(join(dir, files.privateKey), { force: true }) // a file that is there would keep its mode
  await writeFile(join(dir, files.privateKey), privateKey, { mode: PRIVATE_MODE })
  await writeFile(join(dir, files.certificate), certificate, { mode: PUBLIC_MODE })
}
