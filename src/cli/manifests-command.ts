import { Command, InvalidArgumentError, Option } from 'commander'
import { nameInput, readInput } from '../config/input-file.ts'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import type { PullSecretConfig } from '../core/pull-secret-config.ts'
import { printJson } from './output.ts'

interface ManifestsCommandOptions {
  config: string
  only: 'rbac'
  namespace: string
  namespaced: boolean
  output: 'yaml' | 'json'
}

/** `pullkeeper manifests`: what has to be applied to a cluster for a configuration, made offline. */
export function createManifestsCommand (): Command {
  return new Command('manifests')
    .summary('print the manifests that a configuration needs')
    .description('Prints manifests for kubectl apply. It needs no cluster.\n' +
      'rbac: the ServiceAccount of the sync worker, with the rights that it needs.\n' +
      'Apply again when pullSecrets or retired change (with --namespaced: the rules).')
    .requiredOption('--config <file>', 'configuration file; - reads standard input')
    .addOption(new Option('--only <part>', 'what to print').choices(['rbac']).makeOptionMandatory())
    .option('-n, --namespace <namespace>', 'pullkeeper\'s own namespace', parseNamespace, DEFAULT_OWN_NAMESPACE)
    .option('--namespaced', 'Roles in the namespaces that the rules list by name, instead of a ClusterRole', false)
    .addOption(new Option('-o, --output <format>', 'how to print: a stream of YAML documents, or one List').choices(['yaml', 'json']).default('yaml'))
    .addHelpText('after', '\nExample:\n  pullkeeper manifests --config config.yaml --only rbac | kubectl apply -f -')
    .action(runManifests)
}

async function runManifests ({ config: file, namespace, namespaced, output }: ManifestsCommandOptions): Promise<void> {
  const { createWorkerManifests } = await import('../core/worker-rbac.ts')
  const manifests = createWorkerManifests(await loadConfig(file), { ownNamespace: namespace, namespaced })
  if (output === 'json') printJson({ apiVersion: 'v1', kind: 'List', items: manifests })
  else process.stdout.write(await formatYaml(manifests))
}

async function loadConfig (file: string): Promise<PullSecretConfig> {
  const { parseConfig, formatProblem } = await import('../config/parse-config.ts')
  const name = nameInput(file)
  const { config, problems } = parseConfig(await readInput(file), name)
  if (config === undefined) throw new Error(`the configuration can not be used\n${problems.map((problem) => formatProblem(name, problem)).join('\n')}`)
  return config
}

/** kubectl reads YAML 1.1, in which a Secret named `no` or `1e3` must stand in quotes; nothing is folded or shared. */
async function formatYaml (manifests: object[]): Promise<string> {
  const { stringify } = await import('yaml')
  return manifests.map((manifest) => stringify(manifest, { compat: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false })).join('---\n')
}

function parseNamespace (text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) throw new InvalidArgumentError('a namespace is a DNS label: lower-case letters, digits and "-", at most 63 characters')
  return text
}
