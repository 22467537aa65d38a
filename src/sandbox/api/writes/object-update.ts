import { isDeepStrictEqual } from 'node:util'
import type { AdmissionAttributes, ApiCall } from '../admission/admission-attributes.ts'
import { listAt, objectAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { applyDefaults } from './object-defaults.ts'
import { decodeObject } from './object-decoding.ts'
import { trackUpdate } from './managed-fields.ts'
import { countGeneration, keepSystemFields } from '../objects/object-metadata.ts'
import { validateObject } from '../validation/object-validation.ts'
import { getStored, type ResourceApiContext } from './resource-api.ts'
import { NAMESPACES, SECRETS } from '../objects/resource-table.ts'
import { checkSecretEncoding } from '../validation/secret-validation.ts'
import { invalidValue } from '../field-error.ts'
import { badRequest, conflict, invalid } from '../status-error.ts'

/** Makes the new body from the stored object. */
export type ObjectTransform = (current: KubernetesObject | undefined) => unknown

/** As often as kube-apiserver tries a patch again. */
const MAX_ATTEMPTS = 5

const VERSION_MISSING = { reason: 'FieldValueInvalid', message: 'Invalid value: 0x0: must be specified for an update', field: 'metadata.resourceVersion' }

/** Records who changed which fields. */
type OwnershipTracker = (call: ApiCall, updated: KubernetesObject, current: KubernetesObject, now: Date) => KubernetesObject

/**
 * Updates an object. When another write comes between, a client that named a resourceVersion gets 409,
 * and for all others it is done again on the new state.
 */
export async function updateObject (context: ResourceApiContext, call: ApiCall, transform: ObjectTransform, track: OwnershipTracker = trackUpdate): Promise<KubernetesObject> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const current = getStored(context.store, call)
    const body = decodeObject(call.resource, structuredClone(transform(current)))
    checkPreconditions(call, body, current)
    const owned = track(call, merge(call, body, current), current, context.now())
    const updated = await admitUpdate(context, call, owned, current)
    if (context.store.get(call.resource, call.namespace, call.name) === current) return commit(context, call, updated, current)
  }
  throw conflict(call.resource, call.name)
}

function checkPreconditions ({ resource, namespace, name, options }: ApiCall, { metadata }: KubernetesObject, current: KubernetesObject): void {
  const { name: bodyName = '', namespace: bodyNamespace = '', uid = '', resourceVersion = '' } = metadata
  if (bodyName === '') metadata.name = name
  else if (bodyName !== name) throw badRequest(`the name of the object (${bodyName}) does not match the name on the URL (${name})`)
  if (bodyNamespace !== '' && bodyNamespace !== namespace) throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  if (uid !== '' && uid !== current.metadata.uid) {
    if (options.kind === 'PatchOptions') throw invalid(resource, name, [invalidValue('metadata.uid', uid, 'field is immutable')])
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid ?? ''}`)
  }
  if (['', '0'].includes(resourceVersion)) {
    // As the API server words it, with the plural in the place of the kind.
    if (!resource.updatesUnconditionally) throw invalid({ ...resource, kind: resource.plural }, name, [VERSION_MISSING])
  } else if (resourceVersion !== current.metadata.resourceVersion) throw conflict(resource, name)
  if (resource.namespaced) metadata.namespace = namespace
}

/** What of the body counts: all but status on the object itself, nothing but status on that subresource. */
function merge ({ resource, subresource }: ApiCall, body: KubernetesObject, current: KubernetesObject): KubernetesObject {
  if (subresource === 'status') return { ...current, status: body.status }
  if (subresource === 'finalize') return { ...current, spec: body.spec }
  if (resource === SECRETS) checkSecretEncoding(body)
  const updated = keepSystemFields(resource, body, current)
  applyDefaults(resource, updated)
  return resource === NAMESPACES ? { ...updated, spec: current.spec } : updated
}

async function admitUpdate ({ admission }: ResourceApiContext, call: ApiCall, updated: KubernetesObject, current: KubernetesObject): Promise<KubernetesObject> {
  const { resource, subresource, name } = call
  const withVersion = { ...updated, metadata: { ...updated.metadata, resourceVersion: current.metadata.resourceVersion } } as KubernetesObject
  const attributes: AdmissionAttributes = { ...call, operation: 'UPDATE', object: withVersion, oldObject: current }
  await admission.mutate(attributes)
  const object = countGeneration(resource, attributes.object as KubernetesObject, current)
  const errors = subresource === undefined ? validateObject(resource, object, current) : []
  if (errors.length > 0) throw invalid(resource, name, errors)
  admission.validate({ ...attributes, object })
  return object
}

function commit ({ store }: ResourceApiContext, { resource, dryRun }: ApiCall, updated: KubernetesObject, current: KubernetesObject): KubernetesObject {
  // An update that changes nothing is no write: no new resourceVersion, no watch event.
  if (dryRun || isDeepStrictEqual(updated, current)) return dryRun ? updated : current
  if (isReleased(updated)) return store.remove(resource, updated)
  return store.put(resource, updated)
}

/** Marked for deletion, and nobody holds it any more. */
function isReleased (object: KubernetesObject): boolean {
  const { deletionTimestamp, finalizers = [] } = object.metadata
  return deletionTimestamp !== undefined && finalizers.length === 0 && listAt(objectAt(object, 'spec'), 'finalizers').length === 0
}
