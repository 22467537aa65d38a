import type { UnknownObject } from '../../../core/unknown.ts'
import type { AuditTrail } from '../http/audit-log.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import type { Resource, Subresource } from '../objects/resource.ts'

/** Who asks (`authentication.k8s.io/v1` UserInfo). */
export interface UserInfo {
  username: string
  uid: string
  groups: string[]
}

/** What one request says beside its body. */
export interface ApiCall {
  resource: Resource
  /** Empty for cluster-scoped resources and for all namespaces. */
  namespace: string
  /** Empty where the request names no object. */
  name: string
  subresource?: Subresource
  user: UserInfo
  /** Names the owner of fields where no `fieldManager` does. */
  userAgent?: string
  dryRun: boolean
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, as webhooks are shown them. */
  options: UnknownObject
  /** Shown to the client as `Warning` headers; a Set, since the API server sends each once. */
  warnings: Set<string>
  audit: AuditTrail
}

/** What admission plugins and webhooks see of a write; `object` is replaced by those who change it. */
export interface AdmissionAttributes extends ApiCall {
  operation: 'CREATE' | 'UPDATE' | 'DELETE'
  object?: KubernetesObject
  oldObject?: KubernetesObject
}

/** The name that messages show: the object's own, or the prefix of one that is not generated yet. */
export function nameOf ({ name, object }: Pick<AdmissionAttributes, 'name' | 'object'>): string {
  return [name, object?.metadata.name, object?.metadata.generateName].find((candidate) => candidate !== undefined && candidate !== '') ?? ''
}
