import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyPair } from '../../src/tls/certificates.ts'

/** Files that a webhook is started with. */
export interface WebhookFiles {
  directory: string
  configFile: string
  certificateFile: string
  privateKeyFile: string
  decisionLogFile: string
}

/** A configuration whose one rule injects `pullSecret` into every Pod with an image of registry.example.com. */
export function formatConfig ({ pullSecret = 'example-pull', more = '' }: { pullSecret?: string, more?: string } = {}): string {
  return `apiVersion: pullkeeper.dev/v1alpha1
kind: PullSecretConfig
pullSecrets:
  - name: ${pullSecret}
    copyFrom: { file: /etc/pullkeeper/config.json }
rules:
  - name: example
    matchImages: ["registry.example.com"]
    pullSecrets: [${pullSecret}]
${more}`
}

/** Writes a configuration and a TLS pair; the decision log's file is only named. */
export async function writeWebhookFiles (directory: string, keyPair: KeyPair, config = formatConfig()): Promise<WebhookFiles> {
  await mkdir(directory, { recursive: true })
  const files = {
    directory,
    configFile: join(directory, 'config.yaml'),
    certificateFile: join(directory, 'tls.crt'),
    privateKeyFile: join(directory, 'tls.key'),
    decisionLogFile: join(directory, 'decisions.log')
  }
  await Promise.all([
    writeFile(files.configFile, config),
    writeFile(files.certificateFile, keyPair.certificate),
    writeFile(files.privateKeyFile, keyPair.privateKey, { mode: 0o600 })
  ])
  return files
}
