import type { AdmissionAttributes, ApiCall } from '../admission/admission-attributes.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { applyDefaults } from './object-defaults.ts'
import { decodeObject } from './object-decoding.ts'
import { trackUpdate } from './managed-fields.ts'
import { completeNewObject, dropSystemMetadata } from '../objects/object-metadata.ts'
import { validateObject } from '../validation/object-validation.ts'
import type { ResourceApiContext } from './resource-api.ts'
import { trackApplied } from './server-side-apply.ts'
import { SECRETS } from '../objects/resource-table.ts'
import { checkSecretEncoding } from '../validation/secret-validation.ts'
import { alreadyExists, badRequest, invalid, StatusError } from '../status-error.ts'

/**
 * Creates an object: decode, default, mutate, complete, validate, store, in the API server's order.
 * That order decides which error a client sees first, and webhooks see an object that has no uid yet. `applied` is the configuration
 * when the object comes from an apply: then its manager owns these fields only.
 */
export async function createObject ({ store, admission, now }: ResourceApiContext, call: ApiCall, body: unknown, applied?: KubernetesObject): Promise<KubernetesObject> {
  const { resource } = call
  const prepared = prepare(call, body)
  const owned = applied === undefined ? trackUpdate(call, prepared, undefined, now()) : trackApplied(call, prepared, applied, now())
  const attributes: AdmissionAttributes = { ...call, operation: 'CREATE', object: owned }
  call.audit.setRequestObject(attributes.object)
  await admission.mutate(attributes)
  const object = completeNewObject(resource, attributes.object as KubernetesObject, now())
  const errors = validateObject(resource, object)
  const name = object.metadata.name ?? ''
  if (errors.length > 0) throw invalid(resource, name, errors)
  admission.validate({ ...attributes, object })
  if (store.get(resource, call.namespace, name) !== undefined) throw alreadyExists(resource, name)
  return call.dryRun ? object : store.put(resource, object)
}

function prepare ({ resource, namespace, name }: ApiCall, body: unknown): KubernetesObject {
  const object = decodeObject(resource, structuredClone(body))
  const { metadata } = object
  if (resource.namespaced) {
    if ((metadata.namespace ?? namespace) !== namespace) throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
    metadata.namespace = namespace
  } else delete metadata.namespace
  if (metadata.resourceVersion === '') delete metadata.resourceVersion
  if (metadata.resourceVersion !== undefined) throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created')
  if (name !== '') metadata.name = name
  dropSystemMetadata(object)
  if (resource.subresources.includes('status')) delete object.status
  if (resource === SECRETS) checkSecretEncoding(object)
  applyDefaults(resource, object)
  return object
}
