import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import type { AdmissionChain } from '../admission/admission-chain.ts'
import type { ApiCall } from '../admission/admission-attributes.ts'
import { objectAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { ObjectFilter } from '../objects/list-selector.ts'
import { applyObject } from './object-apply.ts'
import { createObject } from './object-creation.ts'
import { deleteObject } from './object-deletion.ts'
import { updateObject, type ObjectTransform } from './object-update.ts'
import { checkPatchOptions, createPatchTransform, type PatchRequest } from './object-patch.ts'
import { notFound } from '../status-error.ts'

/** What the operations work with. */
export interface ResourceApiContext {
  store: ObjectStore
  admission: AdmissionChain
  now: () => Date
}

/** What a write left, and whether it made it. */
export interface WrittenObject {
  object: KubernetesObject
  created: boolean
}

/**
 * The verbs of the API, for clients over HTTP and for the controllers alike: admission, defaults, rules, storage.
 * Every refusal is a StatusError.
 */
export interface ResourceApi {
  get: (call: ApiCall) => KubernetesObject
  create: (call: ApiCall, body: unknown) => Promise<KubernetesObject>
  update: (call: ApiCall, body: unknown) => Promise<WrittenObject>
  patch: (call: ApiCall, patch: PatchRequest) => Promise<WrittenObject>
  /** Changes the stored object by a function, tried again when another write comes between. */
  transform: (call: ApiCall, transform: ObjectTransform) => Promise<KubernetesObject>
  /** The object in its last state, and whether it is gone already. */
  delete: (call: ApiCall, options: UnknownObject) => Promise<{ object: KubernetesObject, isGone: boolean }>
  /** The deleted objects. */
  deleteCollection: (call: ApiCall, filter: ObjectFilter, options: UnknownObject) => Promise<KubernetesObject[]>
}

/** Puts the operations together. */
export function createResourceApi (context: ResourceApiContext): ResourceApi {
  const exists = ({ resource, namespace, name }: ApiCall): boolean => context.store.get(resource, namespace, name) !== undefined
  const api: ResourceApi = {
    get: (call) => getStored(context.store, call),
    create: async (call, body) => createObject(context, call, body),
    async update (call, body) {
      if (call.resource.createsOnUpdate && !exists(call)) return { object: await createObject(context, call, withoutVersion(body)), created: true }
      return { object: await updateObject(context, call, () => body), created: false }
    },
    transform: async (call, transform) => updateObject(context, call, transform),
    async patch (call, patch) {
      checkPatchOptions(call, patch)
      if (patch.type === 'apply') return applyObject(context, call, patch.body)
      return { object: await updateObject(context, call, createPatchTransform(call, patch)), created: false }
    },
    delete: async (call, options) => deleteObject(context, call, options),
    async deleteCollection (call, filter, options) {
      const chosen = context.store.list(call.resource, call.namespace).filter(filter)
      for (const { metadata } of chosen) {
        await deleteObject(context, { ...call, name: metadata.name ?? '', namespace: metadata.namespace ?? '' }, options)
      }
      return chosen
    }
  }
  return api
}

/** What a client names is the version of an object that is not there. */
function withoutVersion (body: unknown): unknown {
  const object = asObject(body)
  if (object === undefined) return body
  const { resourceVersion, ...metadata } = objectAt(object, 'metadata')
  return { ...object, metadata }
}

/** The stored object, or 404. */
export function getStored (store: ObjectStore, { resource, namespace, name }: ApiCall): KubernetesObject {
  const found = store.get(resource, namespace, name)
  if (found === undefined) throw notFound(resource, name)
  return found
}
