/**
 * By which key lists of objects are merged, where Kubernetes' API types say `patchStrategy=merge`.
 * The field's name decides, except where the same name stands for different lists.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-update
 */
const MERGE_KEYS: Record<string, string> = {
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  imagePullSecrets: 'name',
  volumes: 'name',
  env: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  ports: 'containerPort',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
  secrets: 'name',
  webhooks: 'name',
  conditions: 'type',
  ownerReferences: 'uid',
  podIPs: 'ip',
  resourceClaims: 'name',
  schedulingGates: 'name'
}

/** A ServiceAccount's own list is replaced, that of a Pod's spec is merged. */
const REPLACED_LISTS = ['imagePullSecrets']

/** Lists whose items server-side apply tells apart by more than the merge key, with the value of a key that is left out. */
const FURTHER_KEYS: Record<string, Record<string, unknown>> = {
  ports: { protocol: 'TCP' },
  topologySpreadConstraints: { whenUnsatisfiable: undefined }
}

/** Fields that hold a LabelSelector, which server-side apply takes as one value (`+structType=atomic`). */
const ATOMIC_OBJECTS = ['selector', 'labelSelector', 'namespaceSelector', 'objectSelector']

/** Lists of plain values that are merged as sets. */
const MERGED_SETS = ['finalizers']

/** The merge key of the list of objects at a path such as `spec.containers`; undefined when it is replaced as a whole. */
export function findMergeKey (path: string): string | undefined {
  return REPLACED_LISTS.includes(path) ? undefined : MERGE_KEYS[lastKey(path)]
}

/**
 * The keys by which server-side apply tells the items of a list apart, each with its default; undefined for a list that has one owner.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
 */
export function findMergeKeys (path: string): Record<string, unknown> | undefined {
  const key = findMergeKey(path)
  return key === undefined ? undefined : { [key]: undefined, ...FURTHER_KEYS[lastKey(path)] }
}

/** Whether the object at a path has one owner as a whole. */
export function isAtomicObject (path: string): boolean {
  return ATOMIC_OBJECTS.includes(lastKey(path))
}

/** Whether a list of plain values is merged instead of replaced. */
export function isMergedSet (path: string): boolean {
  return MERGED_SETS.includes(lastKey(path))
}

function lastKey (path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}
