import type { ApiCall } from '../admission/admission-attributes.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { notFound, StatusError } from '../status-error.ts'
import { createObject } from './object-creation.ts'
import { updateObject } from './object-update.ts'
import type { ResourceApiContext, WrittenObject } from './resource-api.ts'
import { applyConfiguration, createFromApplied, readApplied } from './server-side-apply.ts'

/** Applies a configuration: makes the object where there is none, and also when another client just makes it, both end in one. */
export async function applyObject (context: ResourceApiContext, call: ApiCall, body: unknown): Promise<WrittenObject> {
  const applied = readApplied(call, body)
  if (context.store.get(call.resource, call.namespace, call.name) === undefined) {
    const created = await createApplied(context, call, applied)
    if (created !== undefined) return { object: created, created: true }
  }
  const transform = (current: KubernetesObject | undefined): KubernetesObject => {
    if (current === undefined) throw notFound(call.resource, call.name)
    return applyConfiguration(call, current, applied, context.now())
  }
  return { object: await updateObject(context, call, transform, (_call, updated) => updated), created: false }
}

/** Undefined when another client was faster. */
async function createApplied (context: ResourceApiContext, call: ApiCall, applied: KubernetesObject): Promise<KubernetesObject | undefined> {
  if (call.subresource !== undefined) throw notFound(call.resource, call.name)
  try {
    return await createObject(context, call, createFromApplied(call, applied), applied)
  } catch (error) {
    if (error instanceof StatusError && error.status.reason === 'AlreadyExists') return undefined
    throw error
  }
}
