/** What every Kubernetes object carries, as far as it is read (`metav1.ObjectMeta`). */
export interface ObjectMetadata {
  name: string
  namespace?: string
  uid: string
  resourceVersion: string
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

/** An object as the API sends it in JSON. */
export interface KubeObject {
  metadata: ObjectMetadata
}

/** A Namespace; being deleted it has a deletionTimestamp, and soon the phase `Terminating`. */
export interface Namespace extends KubeObject {
  status?: { phase?: string }
}

/** A Secret; the values of `data` are base64. */
export interface Secret extends KubeObject {
  type?: string
  immutable?: boolean
  data?: Record<string, string>
}

/** A ServiceAccount with the pull secrets that its Pods get. */
export interface ServiceAccount extends KubeObject {
  imagePullSecrets?: { name?: string }[]
}

/** A collection as a list returns it. */
export interface KubeList<T> {
  metadata: { resourceVersion: string, continue?: string }
  items: T[]
}

/** The key of an object in caches and queues. */
export function formatObjectKey ({ namespace = '', name }: { namespace?: string, name: string }): string {
  return `${namespace}/${name}`
}

/** The parts of a key that `formatObjectKey` made. */
export function parseObjectKey (key: string): [namespace: string, name: string] {
  const slash = key.indexOf('/')
  return [key.slice(0, slash), key.slice(slash + 1)]
}

/** Whether version `a` is older than `b`: numbers in every release, and comparable by promise since 1.35 (KEP-5504). */
export function isOlderVersion (a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}
