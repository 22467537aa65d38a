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

/** Lists of plain values that are merged as sets. */
const MERGED_SETS = ['finalizers']

/** The merge key of the list of objects at a path such as `spec.containers`; undefined when it is replaced as a whole. */
export function findMergeKey (path: string): string | undefined {
  return REPLACED_LISTS.includes(path) ? undefined : MERGE_KEYS[lastKey(path)]
}

/** Whether a list of plain values is merged instead of replaced. */
export function isMergedSet (path: string): boolean {
  return MERGED_SETS.includes(lastKey(path))
}

function lastKey (path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}
