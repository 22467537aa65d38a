import { Command } from 'commander'
import { nameInput, readInput } from '../config/input-file.ts'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import type { Manifests } from '../core/workloads.ts'
import { parseLabels } from './options.ts'
import { createOutputOption, pluralize, printJson, type OutputFormat } from './output.ts'

interface ExplainCommandOptions {
  config: string
  filename: string[]
  namespace: string
  namespaceLabels?: Record<string, string>
  output: OutputFormat
}

/** `pullkeeper explain`: what the webhook would do to the Pods of some manifests, and why; offline. */
export function createExplainCommand (): Command {
  return new Command('explain')
    .summary('show what would be injected into Pods, and why')
    .description('Reads Pods and workloads (Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Lists of them; YAML or JSON)\n' +
      'and shows for each image which rule matches, which does not and why, and what would be injected. Needs no cluster.\n' +
      'Namespace objects in the input give the labels that rules with a selector ask for, ServiceAccount objects their pull secrets.\n' +
      'With -o json it prints decision records as the webhook writes them.')
    .requiredOption('--config <file>', 'configuration file')
    .requiredOption('-f, --filename <files...>', 'manifests; - reads standard input')
    .option('-n, --namespace <namespace>', 'namespace of manifests that name none', 'default')
    .option('--namespace-labels <labels>', 'labels of namespaces that are not in the input: KEY=VALUE,...', parseLabels)
    .addOption(createOutputOption())
    .action(runExplain)
}

async function runExplain (options: ExplainCommandOptions): Promise<void> {
  const [{ explainManifests }, { formatExplanation }] = await Promise.all([import('../core/explanation.ts'), import('./explanation-text.ts')])
  const policy = await loadPolicy(options.config)
  const manifests = await loadManifests(options.filename)
  const explanations = explainManifests({
    policy,
    manifests,
    defaultNamespace: options.namespace,
    ...(options.namespaceLabels !== undefined && { namespaceLabels: options.namespaceLabels })
  })
  if (options.output === 'json') printJson(explanations.flatMap(({ records }) => records))
  else console.log(explanations.map(formatExplanation).join('\n\n'))
}

async function loadPolicy (file: string) {
  const [{ parseConfig, formatProblem }, { compilePolicy }] = await Promise.all([import('../config/parse-config.ts'), import('../core/policy.ts')])
  const { config, hash, problems } = parseConfig(await readInput(file), file)
  if (config === undefined) throw new Error(`the configuration can not be used\n${problems.map((problem) => formatProblem(file, problem)).join('\n')}`)
  return compilePolicy(config, { configHash: hash, ownNamespace: process.env.POD_NAMESPACE ?? DEFAULT_OWN_NAMESPACE })
}

async function loadManifests (files: string[]): Promise<Manifests> {
  const [{ readManifests }, { parseAllManifests }] = await Promise.all([import('../core/workloads.ts'), import('../config/parse-manifests.ts')])
  const documents = await Promise.all(files.map(async (file) => {
    return parseAllManifests(String(await readInput(file)), nameInput(file))
  }))
  const manifests = readManifests(documents.flat())
  if (manifests.workloads.length === 0) throw new Error(describeNoWorkload(files, manifests))
  if (manifests.otherKinds.length > 0) console.error(`passed over ${pluralize(manifests.otherKinds.length, 'object')} that make no Pods: ${[...new Set(manifests.otherKinds)].join(', ')}`)
  return manifests
}

function describeNoWorkload (files: string[], { otherKinds }: Manifests): string {
  const found = otherKinds.length === 0 ? 'they hold no object' : `found only ${[...new Set(otherKinds)].join(', ')}`
  return `no Pod and no workload in ${files.join(', ')}: ${found}. Give Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs or CronJobs`
}
