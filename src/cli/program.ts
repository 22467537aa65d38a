import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { createCertsCommand } from './certs-command.ts'
import { createCheckCommand } from './check-command.ts'
import { createExplainCommand } from './explain-command.ts'
import { createManifestsCommand } from './manifests-command.ts'
import { createSandboxCommand } from './sandbox-command.ts'
import { createStatusCommand } from './status-command.ts'
import { createSyncCommand } from './sync-command.ts'
import { createWebhookCommand } from './webhook-command.ts'

/** The command line. Each command loads what it needs when it runs, so that none pays for another's libraries. */
export function createProgram (): Command {
  const program = new Command('pullkeeper')
    .description('Image pull secrets on Kubernetes that are nobody\'s work.')
    .version(readVersion())
    .exitOverride()
    .showHelpAfterError('(--help shows what is possible)')
  const commands = [createSandboxCommand(), createCheckCommand(), createExplainCommand(), createWebhookCommand(), createSyncCommand(), createStatusCommand(), createCertsCommand(), createManifestsCommand()]
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program))
  return program
}

function readVersion (): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
