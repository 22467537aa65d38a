import { asArray, asObject, asString, type UnknownObject } from './unknown.ts'

/** An object that makes Pods, or a Pod itself, by kind and name. */
export interface Workload {
  kind: string
  name: string
  /** Empty when the manifest does not say. */
  namespace: string
  /** The Pod as its author or controller would create it. */
  pod: UnknownObject
}

/** What a set of manifests holds, as far as pull secrets are concerned. */
export interface Manifests {
  workloads: Workload[]
  /** Labels by namespace, of the Namespace objects. */
  namespaceLabels: Map<string, Record<string, string>>
  /** Pull secrets by `namespace/name`, of the ServiceAccount objects; `/name` where the manifest has no namespace. */
  serviceAccountPullSecrets: Map<string, string[]>
  /** Kinds of the objects that make no Pods. */
  otherKinds: string[]
}

/** Where each kind keeps its Pod template. */
const TEMPLATE_PATHS = new Map([
  ['Deployment', ['spec', 'template']],
  ['StatefulSet', ['spec', 'template']],
  ['DaemonSet', ['spec', 'template']],
  ['ReplicaSet', ['spec', 'template']],
  ['ReplicationController', ['spec', 'template']],
  ['Job', ['spec', 'template']],
  ['CronJob', ['spec', 'jobTemplate', 'spec', 'template']]
])

/** Sorts parsed manifests: Pods, every workload kind with a Pod template, Lists of them, Namespaces and ServiceAccounts. */
export function readManifests (documents: unknown[]): Manifests {
  const manifests: Manifests = { workloads: [], namespaceLabels: new Map(), serviceAccountPullSecrets: new Map(), otherKinds: [] }
  for (const document of documents) addObject(manifests, asObject(document))
  return manifests
}

function addObject (manifests: Manifests, object: UnknownObject | undefined): void {
  if (object === undefined) return
  const kind = asString(object.kind) ?? ''
  const { name, namespace } = readIdentity(object)
  const templatePath = TEMPLATE_PATHS.get(kind)
  if (kind.endsWith('List') && Array.isArray(object.items)) {
    for (const item of object.items) addObject(manifests, withKind(asObject(item), kind.slice(0, -'List'.length)))
  } else if (kind === 'Pod') manifests.workloads.push({ kind, name, namespace, pod: object })
  else if (templatePath !== undefined) manifests.workloads.push({ kind, name, namespace, pod: createPod(object, kind, name, templatePath) })
  else if (kind === 'Namespace') manifests.namespaceLabels.set(name, readLabels(object))
  else if (kind === 'ServiceAccount') manifests.serviceAccountPullSecrets.set(`${namespace}/${name}`, readNames(object.imagePullSecrets))
  else manifests.otherKinds.push(kind === '' ? 'object without kind' : kind)
}

/** Items of a typed list, such as a PodList, may leave their kind out. */
function withKind (item: UnknownObject | undefined, kind: string): UnknownObject | undefined {
  return item === undefined || kind === '' ? item : { kind, ...item }
}

function createPod (object: UnknownObject, kind: string, name: string, path: string[]): UnknownObject {
  const template = path.reduce<UnknownObject>((at, key) => asObject(at[key]) ?? {}, object)
  const metadata = { ...asObject(template.metadata), generateName: `${name}-`, ownerReferences: [{ kind, name, controller: true }] }
  return { ...template, metadata }
}

function readIdentity (object: UnknownObject): { name: string, namespace: string } {
  const metadata = asObject(object.metadata)
  const name = asString(metadata?.name) ?? asString(metadata?.generateName) ?? ''
  return { name, namespace: asString(metadata?.namespace) ?? '' }
}

function readLabels (object: UnknownObject): Record<string, string> {
  const labels = Object.entries(asObject(asObject(object.metadata)?.labels) ?? {})
  return Object.fromEntries(labels.map(([key, value]) => [key, String(value)]))
}

function readNames (list: unknown): string[] {
  return asArray(list).map((entry) => asString(asObject(entry)?.name)).filter((name) => name !== undefined)
}
