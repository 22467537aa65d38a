import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import type { ApiCall } from '../admission/admission-attributes.ts'
import { textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { formatGroupVersion } from '../objects/resource.ts'
import { badRequest, conflict, StatusError, type StatusCause } from '../status-error.ts'
import { formatFieldPath, intersectFields, uniteFields, type FieldSet } from './field-sets.ts'
import { createOwner, isSameOwner, loseFields, readOwnersBeforeApply, writeOwners, type FieldOwner } from './managed-fields.ts'
import { compareFields, listAppliedFields, mergeFields, removeFields } from './object-fields.ts'

/** Reads an applied configuration; 400 for one that names no version or another, or brings owners of its own. */
export function readApplied ({ resource, subresource }: ApiCall, body: unknown): KubernetesObject {
  const object = asObject(body)
  if (object === undefined) throw badRequest('error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go value of type map[string]interface {}')
  const expected = formatGroupVersion(resource)
  if (object.apiVersion !== expected) throw badRequest(`Incorrect version specified in apply patch. Specified patch version: ${textAt(object, 'apiVersion')}, expected: ${expected}`)
  if (textAt(object, 'kind') === '') throw new StatusError(500, '', `failed to create typed patch object: no corresponding type for ${formatTypeVersion(expected)}, Kind=`)
  const { metadata, status, ...fields } = dropNulls(object)
  if (asObject(metadata)?.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil')
  // The status belongs to its own path, and that path to the status.
  if (subresource === 'status') return { apiVersion: fields.apiVersion, kind: fields.kind, metadata: pickIdentity(metadata), ...(status !== undefined && { status }) } as KubernetesObject
  const keepsStatus = status !== undefined && !resource.subresources.includes('status')
  return { ...fields, metadata: asObject(metadata) ?? {}, ...(keepsStatus && { status }) } as KubernetesObject
}

/** The object that an apply makes where there is none, still without owners. */
export function createFromApplied ({ resource, name }: ApiCall, applied: KubernetesObject): KubernetesObject {
  const { resourceVersion, ...metadata } = applied.metadata
  if (metadata.uid !== undefined) throw conflict(resource, name, `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`)
  if (metadata.name === undefined) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
  return { ...applied, metadata }
}

/** Makes the applier the owner of a new object's applied fields; defaults have none. */
export function trackApplied (call: ApiCall, object: KubernetesObject, applied: KubernetesObject, now: Date): KubernetesObject {
  return writeOwners(object, [{ ...createOwner(call, 'Apply', now), fields: listAppliedFields(applied) }])
}

/**
 * Applies a configuration to an object: merges it, takes away what this manager applied before and nobody else owns,
 * and records the owners. An apply that changes nothing gives the object itself.
 * 409 when a field would change that another manager owns, unless the call says `force`.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/, KEP-555
 */
export function applyConfiguration (call: ApiCall, current: KubernetesObject, applied: KubernetesObject, now: Date): KubernetesObject {
  const self = { ...createOwner(call, 'Apply', now), fields: listAppliedFields(applied) }
  const owners = readOwnersBeforeApply(call.resource, current)
  const earlier = owners.find((owner) => isSameOwner(owner, self))
  const others = owners.filter((owner) => owner !== earlier)
  const held = others.reduce<FieldSet>((fields, owner) => uniteFields(fields, owner.fields), self.fields)
  const merged = removeFields(mergeFields(current, applied) as KubernetesObject, earlier?.fields ?? new Set(), held)
  const changes = compareFields(current, merged)
  if (call.options.force !== true) checkConflicts(others, changes.changed)
  const { resourceVersion, uid } = applied.metadata
  if (changes.changed.size === 0 && changes.removed.size === 0 && isSameSet(earlier?.fields, self.fields)) return withPreconditions(current, { resourceVersion, uid })
  return withPreconditions(writeOwners(merged, [...loseFields(others, changes), self]), { resourceVersion, uid })
}

function checkConflicts (others: FieldOwner[], changed: FieldSet): void {
  const conflicts = others
    .map((owner) => ({ name: describeOwner(owner), paths: [...intersectFields(owner.fields, changed)].sort().map(formatFieldPath) }))
    .filter(({ paths }) => paths.length > 0)
    .sort((a, b) => a.name < b.name ? -1 : 1)
  if (conflicts.length === 0) return
  const causes = conflicts.flatMap(({ name, paths }): StatusCause[] => paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${name}`, field })))
  throw new StatusError(409, 'Conflict', formatConflicts(causes, conflicts), { causes })
}

function formatConflicts (causes: StatusCause[], conflicts: { name: string, paths: string[] }[]): string {
  const [first] = causes
  if (causes.length === 1 && first !== undefined) return `Apply failed with 1 conflict: ${first.message}: ${first.field ?? ''}`
  const lines = conflicts.flatMap(({ name, paths }) => [`conflicts with ${name}:`, ...paths.map((path) => `- ${path}`)])
  return `Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`
}

function describeOwner ({ manager, operation, apiVersion }: FieldOwner): string {
  return JSON.stringify(manager) + (operation === 'Update' ? ` using ${apiVersion}` : '')
}

function isSameSet (a: FieldSet | undefined, b: FieldSet): boolean {
  return a === undefined ? b.size === 0 : a.size === b.size && intersectFields(a, b).size === b.size
}

function withPreconditions (object: KubernetesObject, preconditions: { resourceVersion: string | undefined, uid: string | undefined }): KubernetesObject {
  const given = Object.fromEntries(Object.entries(preconditions).filter(([, value]) => value !== undefined))
  return Object.keys(given).length === 0 ? object : { ...object, metadata: { ...object.metadata, ...given } }
}

function pickIdentity (metadata: unknown): UnknownObject {
  const { name, namespace, uid, resourceVersion } = asObject(metadata) ?? {}
  return dropNulls({ name, namespace, uid, resourceVersion })
}

function formatTypeVersion (groupVersion: string): string {
  return groupVersion.includes('/') ? groupVersion : `/${groupVersion}`
}

/** A null applies nothing. */
function dropNulls (object: UnknownObject): UnknownObject {
  return Object.fromEntries(Object.entries(object)
    .filter(([key, value]) => value !== null && value !== undefined && key !== '__proto__')
    .map(([key, value]) => [key, asObject(value) === undefined ? value : dropNulls(asObject(value) ?? {})]))
}
