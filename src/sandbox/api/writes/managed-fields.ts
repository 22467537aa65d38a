import { asArray, asObject, asString, type UnknownObject } from '../../../core/unknown.ts'
import type { ApiCall } from '../admission/admission-attributes.ts'
import { formatTime } from '../objects/object-metadata.ts'
import { textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { formatGroupVersion, type Resource } from '../objects/resource.ts'
import { formatFieldsV1, parseFieldsV1, subtractFields, uniteFields, type FieldSet } from './field-sets.ts'
import { compareFields, type FieldChanges } from './object-fields.ts'

/** Who owns which fields (`metav1.ManagedFieldsEntry`). The same name is another owner for applies than for other writes. */
export interface FieldOwner {
  manager: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  subresource?: string
  /** When it last took a field: RFC 3339, whole seconds. */
  time: string
  fields: FieldSet
}

const MAX_MANAGER_LENGTH = 128
/** Who owns what an object had before anybody applied to it, if its writers were not recorded. */
const BEFORE_FIRST_APPLY = 'before-first-apply'

/** Reads `metadata.managedFields`; entries that say nothing are left out. */
export function readOwners (object: KubernetesObject | undefined): FieldOwner[] {
  return asArray(object?.metadata.managedFields).flatMap((entry) => {
    const { manager, operation, apiVersion, subresource, time, fieldsV1 } = asObject(entry) ?? {}
    const fields = parseFieldsV1(fieldsV1)
    if (fields.size === 0 || (operation !== 'Apply' && operation !== 'Update')) return []
    return [{ manager: asString(manager) ?? '', operation, apiVersion: asString(apiVersion) ?? '', ...(typeof subresource === 'string' && { subresource }), time: asString(time) ?? '', fields }]
  })
}

/** The owners of an object that is about to be applied to: when none were recorded, one stands for all its earlier writers. */
export function readOwnersBeforeApply (resource: Resource, object: KubernetesObject): FieldOwner[] {
  const owners = readOwners(object)
  if (owners.length > 0) return owners
  const { changed } = compareFields(undefined, object)
  if (changed.size === 0) return []
  return [{ manager: BEFORE_FIRST_APPLY, operation: 'Update', apiVersion: formatGroupVersion(resource), time: textAt(object, 'metadata', 'creationTimestamp'), fields: changed }]
}

/** The same object with other owners; those without fields are gone. */
export function writeOwners (object: KubernetesObject, owners: FieldOwner[]): KubernetesObject {
  const { managedFields, ...metadata } = object.metadata
  const entries = owners.filter(({ fields }) => fields.size > 0).sort(compareOwners).map(formatOwner)
  return { ...object, metadata: { ...metadata, ...(entries.length > 0 && { managedFields: entries }) } }
}

/** Takes changed fields from all owners, and removed ones. */
export function loseFields (owners: FieldOwner[], { changed, removed }: FieldChanges): FieldOwner[] {
  return owners.map((owner) => ({ ...owner, fields: subtractFields(subtractFields(owner.fields, changed), removed) }))
}

/** The owner that a call writes as, with the fields that it has so far. */
export function createOwner ({ resource, subresource, options, userAgent }: ApiCall, operation: FieldOwner['operation'], now: Date): FieldOwner {
  const given = asString(options.fieldManager) ?? ''
  return {
    manager: given === '' ? nameUserAgent(userAgent) : given,
    operation,
    apiVersion: formatGroupVersion(resource),
    ...(subresource !== undefined && { subresource }),
    time: formatTime(now),
    fields: new Set()
  }
}

/** Whether two entries are the same owner's. */
export function isSameOwner (a: FieldOwner, b: FieldOwner): boolean {
  return a.manager === b.manager && a.operation === b.operation && a.apiVersion === b.apiVersion && a.subresource === b.subresource
}

/**
 * Records what a write other than an apply did: its manager owns what it changed, and alone.
 * Objects whose owners were never recorded, or were taken away with an empty list, stay without.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
export function trackUpdate (call: ApiCall, updated: KubernetesObject, current: KubernetesObject | undefined, now: Date): KubernetesObject {
  const owners = readGivenOwners(updated, current)
  if (current !== undefined && owners.length === 0) return writeOwners(updated, [])
  const changes = compareFields(current, updated)
  const self = createOwner(call, 'Update', now)
  const earlier = owners.find((owner) => isSameOwner(owner, self))
  const rest = loseFields(owners.filter((owner) => owner !== earlier), changes)
  if (changes.changed.size === 0) return writeOwners(updated, [...rest, ...(earlier === undefined ? [] : loseFields([earlier], changes))])
  const fields = uniteFields(subtractFields(earlier?.fields ?? new Set(), changes.removed), changes.changed)
  return writeOwners(updated, [...rest, { ...self, fields }])
}

/** A client may edit the list, or empty it; one that sends none leaves it as it is. */
function readGivenOwners (updated: KubernetesObject, current: KubernetesObject | undefined): FieldOwner[] {
  return readOwners(Array.isArray(updated.metadata.managedFields) ? updated : current)
}

/** The user agent's name without its version, without what can't be printed. */
function nameUserAgent (userAgent = ''): string {
  const name = (userAgent.split('/')[0] ?? '').replaceAll(/\p{C}/gu, '').slice(0, MAX_MANAGER_LENGTH)
  return name === '' ? 'unknown' : name
}

function compareOwners (a: FieldOwner, b: FieldOwner): number {
  const keyOf = ({ operation, time, manager }: FieldOwner): string => [operation, time, manager].join('\0')
  return keyOf(a) < keyOf(b) ? -1 : 1
}

function formatOwner ({ manager, operation, apiVersion, subresource, time, fields }: FieldOwner): UnknownObject {
  return { manager, operation, apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: formatFieldsV1(fields), ...(subresource !== undefined && { subresource }) }
}
