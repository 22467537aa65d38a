import { asArray, asObject, asString, type UnknownObject } from '../../../core/unknown.ts'

/** Points from a dependent to the object that owns it (`metav1.OwnerReference`). */
export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** The part of `metav1.ObjectMeta` that the API itself reads; everything else is kept as it came. */
export interface ObjectMeta extends UnknownObject {
  name?: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
}

/** Any Kubernetes object. What lies in the store is never changed: whoever edits takes a copy. */
export interface KubernetesObject extends UnknownObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

/** The value at a path of keys, or undefined as soon as one is missing. */
export function valueAt (value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((parent, key) => asObject(parent)?.[key], value)
}

/** The object at a path; an empty one when there is none. */
export function objectAt (value: unknown, ...path: string[]): UnknownObject {
  return asObject(valueAt(value, ...path)) ?? {}
}

/** The list at a path; an empty one when there is none. */
export function listAt (value: unknown, ...path: string[]): unknown[] {
  return asArray(valueAt(value, ...path))
}

/** The string at a path; an empty one when there is none, as in Go. */
export function textAt (value: unknown, ...path: string[]): string {
  return asString(valueAt(value, ...path)) ?? ''
}

/** The number at a path, or `fallback`. */
export function numberAt (value: unknown, path: string[], fallback: number): number {
  const found = valueAt(value, ...path)
  return typeof found === 'number' ? found : fallback
}

/** The object at `key`, made when it is missing, so that it can be written to. */
export function ensureObject (parent: UnknownObject, key: string): UnknownObject {
  const found = asObject(parent[key])
  if (found !== undefined) return found
  const made: UnknownObject = {}
  parent[key] = made
  return made
}

/** Sets a field that has no value yet, as Kubernetes' defaulting does. */
export function setDefault (parent: UnknownObject, key: string, value: unknown): void {
  if (parent[key] === undefined || parent[key] === null || parent[key] === '') parent[key] = value
}

/** The controller that owns an object, if one does. */
export function findController (object: KubernetesObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)
}
