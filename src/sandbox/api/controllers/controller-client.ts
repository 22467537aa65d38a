import { isDeepStrictEqual } from 'node:util'
import type { UnknownObject } from '../../../core/unknown.ts'
import type { ApiCall, UserInfo } from '../admission/admission-attributes.ts'
import type { AuditLog, AuditVerb } from '../http/audit-log.ts'
import { runAudited } from '../http/audited-request.ts'
import type { KubernetesObject, OwnerReference } from '../objects/kubernetes-object.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { ObjectTransform } from '../writes/object-update.ts'
import type { ResourceApi } from '../writes/resource-api.ts'
import { formatGroupVersion, type Resource, type Subresource } from '../objects/resource.ts'
import type { Status } from '../status-error.ts'

/** What all controllers work with. */
export interface ControllerContext {
  store: ObjectStore
  api: ResourceApi
  audit: AuditLog
  now: () => Date
}

/** The API as one controller uses it: under its own name, through admission, and audited like any client. */
export interface ControllerClient {
  create: (resource: Resource, object: KubernetesObject) => Promise<KubernetesObject>
  remove: (resource: Resource, object: KubernetesObject) => Promise<void>
  change: (resource: Resource, object: KubernetesObject, transform: ObjectTransform) => Promise<void>
  /** Writes the status when it differs. */
  writeStatus: (resource: Resource, object: KubernetesObject, status: UnknownObject) => Promise<void>
}

const USER_AGENT = 'pullkeeper-sandbox'

/** Makes the client of a controller; its user is a ServiceAccount of kube-system, as in a real cluster. */
export function createControllerClient (context: ControllerContext, controller: string): ControllerClient {
  const { api, store } = context
  const user = createUser(controller)
  type Target = Pick<KubernetesObject, 'metadata'>

  async function run<T extends object> (verb: AuditVerb, resource: Resource, { metadata }: Target, subresource: Subresource | undefined, action: (call: ApiCall) => Promise<T>): Promise<T> {
    const namespace = metadata.namespace ?? ''
    const name = verb === 'create' ? '' : metadata.name ?? ''
    const target = { resource, namespace, name, ...(subresource !== undefined && { subresource }) }
    const requestUri = formatPath(target)
    const { body } = await runAudited(context.audit, { ...target, verb, requestUri, user, userAgent: USER_AGENT }, async (audit, warnings) => {
      return { code: verb === 'create' ? 201 : 200, body: await action({ ...target, user, userAgent: USER_AGENT, dryRun: false, options: { kind: OPTIONS[verb], apiVersion: 'meta.k8s.io/v1' }, warnings, audit }) }
    })
    const status = body as Status
    if ((status.kind as string) === 'Status' && status.status === 'Failure') throw new Error(status.message)
    return body as T
  }

  return {
    create: async (resource, object) => run('create', resource, object, undefined, async (call) => {
      call.audit.setRequestObject(object)
      return api.create(call, object)
    }),
    async remove (resource, object) {
      if (store.get(resource, object.metadata.namespace ?? '', object.metadata.name ?? '')?.metadata.uid !== object.metadata.uid) return
      await run('delete', resource, object, undefined, async (call) => (await api.delete(call, {})).object)
    },
    async change (resource, object, transform) {
      await run('update', resource, object, undefined, async (call) => api.transform(call, transform))
    },
    async writeStatus (resource, object, status) {
      const current = store.get(resource, object.metadata.namespace ?? '', object.metadata.name ?? '')
      if (current === undefined || current.metadata.uid !== object.metadata.uid || isDeepStrictEqual(current.status, status)) return
      await run('update', resource, object, 'status', async (call) => api.transform(call, (latest) => ({ ...latest, status })))
    }
  }
}

/** A reference by which a controller owns what it makes. */
export function createOwnerReference (owner: KubernetesObject): OwnerReference {
  const { name = '', uid = '' } = owner.metadata
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true }
}

const OPTIONS = { create: 'CreateOptions', update: 'UpdateOptions', patch: 'PatchOptions', delete: 'DeleteOptions', deletecollection: 'DeleteOptions' } as const

function createUser (controller: string): UserInfo {
  return {
    username: `system:serviceaccount:kube-system:${controller}`,
    uid: `${controller}-account`,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated']
  }
}

function formatPath ({ resource, namespace, name, subresource }: Pick<ApiCall, 'resource' | 'namespace' | 'name' | 'subresource'>): string {
  const parts = [resource.group === '' ? '/api' : '/apis', formatGroupVersion(resource), ...(namespace === '' ? [] : ['namespaces', namespace]), resource.plural, name, subresource ?? '']
  return parts.filter((part) => part !== '').join('/')
}
