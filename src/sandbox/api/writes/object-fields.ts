import { isDeepStrictEqual } from 'node:util'
import { asObject } from '../../../core/unknown.ts'
import { closeUpwards, formatFieldPath, joinField, subtractFields, type FieldSet } from './field-sets.ts'
import { findMergeKeys, isAtomicObject, isMergedSet } from './patch-merge-keys.ts'
import { StatusError } from '../status-error.ts'

/** What a write did to the fields of an object. */
export interface FieldChanges {
  /** Fields with a new value, those that were not there among them. */
  changed: FieldSet
  removed: FieldSet
}

/** Where a value stands: its path in a FieldSet, and the names of the fields on the way with a final dot, as merge keys are found by. */
interface Place {
  path: string
  at: string
}

const ROOT: Place = { path: '', at: '' }
/** Structures that Go writes even when they are empty: they come into being with the object, by nobody's hand. */
const EVER_PRESENT = /(?:^|\0)f:(?:metadata|spec|status|template|jobTemplate|strategy|containers|involvedObject|source)$/
/** What has no owner: the object's identity, and what only the API writes. */
const UNOWNED = new Set([
  'f:apiVersion', 'f:kind', 'f:metadata',
  ...['name', 'namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'generation', 'selfLink', 'managedFields'].map((field) => `f:metadata\0f:${field}`)
])

/** The fields that an applied configuration speaks of: its values, and the items of its lists. */
export function listAppliedFields (object: unknown): FieldSet {
  const found = new Set<string>()
  visit(object, ROOT)
  return subtractFields(found, UNOWNED)

  function visit (value: unknown, place: Place): void {
    const children = readChildren(value, place)
    if (children === undefined || isListItem(place.path)) found.add(place.path)
    for (const [element, child] of children ?? []) visit(child, enter(place, element))
  }
}

/** Which fields a write changed and removed; `before` is undefined for a new object. */
export function compareFields (before: unknown, after: unknown): FieldChanges {
  const changed = new Set<string>()
  const removed = new Set<string>()
  visit(before ?? {}, after, ROOT)
  return { changed: subtractFields(changed, UNOWNED), removed: subtractFields(removed, UNOWNED) }

  function visit (old: unknown, value: unknown, place: Place): void {
    const oldChildren = readChildren(old, place)
    const children = readChildren(value, place)
    if (oldChildren === undefined || children === undefined) {
      if (isDeepStrictEqual(old, value)) return
      addAll(removed, old, place)
      addAll(changed, value, place)
      return
    }
    for (const [element, child] of children) {
      const below = enter(place, element)
      if (oldChildren.has(element)) visit(oldChildren.get(element), child, below)
      else addAll(changed, child, below)
    }
    for (const [element, child] of oldChildren) if (!children.has(element)) addAll(removed, child, enter(place, element))
  }
}

/** Merges an applied configuration into an object, deeply and list by list; the object's own order stays. */
export function mergeFields (object: unknown, applied: unknown, place = ROOT): unknown {
  const merged = readChildren(object, place)
  const children = readChildren(applied, place)
  if (merged === undefined || children === undefined || Array.isArray(object) !== Array.isArray(applied)) return applied
  for (const [element, child] of children) merged.set(element, merged.has(element) ? mergeFields(merged.get(element), child, enter(place, element)) : child)
  return rebuild(applied, merged)
}

/** Takes away the fields in `given` that nobody holds any more, and what is empty without them. */
export function removeFields<T> (object: T, given: FieldSet, held: FieldSet): T {
  const doomed = subtractFields(closeUpwards(given), closeUpwards(held))
  return doomed.size === 0 ? object : prune(object, ROOT) as T

  function prune (value: unknown, place: Place): unknown {
    const children = readChildren(value, place)
    if (children === undefined) return value
    const kept = new Map<string, unknown>()
    for (const [element, child] of children) {
      const below = enter(place, element)
      const isDoomed = doomed.has(below.path)
      if (isDoomed && isListItem(below.path)) continue
      const rest = isDoomed && readChildren(child, below) === undefined ? undefined : prune(child, below)
      if (rest !== undefined && !(isDoomed && readChildren(rest, below)?.size === 0)) kept.set(element, rest)
    }
    return rebuild(value, kept)
  }
}

/** The parts of a value that have owners of their own; undefined for a value that is owned as a whole. */
function readChildren (value: unknown, { path, at }: Place): Map<string, unknown> | undefined {
  if (Array.isArray(value)) return readItems(value, path, at.slice(0, -1))
  const object = asObject(value)
  if (object === undefined || isAtomicObject(at.slice(0, -1))) return undefined
  return new Map(Object.entries(object).filter(([, child]) => child !== null && child !== undefined).map(([key, child]) => [`f:${key}`, child]))
}

function readItems (list: unknown[], path: string, at: string): Map<string, unknown> | undefined {
  const keys = findMergeKeys(at)
  if (keys === undefined && !isMergedSet(at)) return undefined
  const items = new Map<string, unknown>()
  for (const item of list) {
    const element = keys === undefined ? `v:${JSON.stringify(item)}` : `k:${formatKeys(keys, item)}`
    if (items.has(element)) throw new StatusError(500, '', `failed to create typed patch object: ${formatFieldPath(path)}: duplicate entries for key ${formatFieldPath(element)}`)
    items.set(element, item)
  }
  return items
}

function formatKeys (keys: Record<string, unknown>, item: unknown): string {
  const fields = asObject(item) ?? {}
  return JSON.stringify(Object.fromEntries(Object.entries(keys).map(([key, fallback]) => [key, fields[key] ?? fallback])))
}

function addAll (fields: Set<string>, value: unknown, place: Place): void {
  if (!EVER_PRESENT.test(place.path)) fields.add(place.path)
  for (const [element, child] of readChildren(value, place) ?? []) addAll(fields, child, enter(place, element))
}

function enter ({ path, at }: Place, element: string): Place {
  return { path: joinField(path, element), at: element.startsWith('f:') ? `${at}${element.slice(2)}.` : at }
}

function isListItem (path: string): boolean {
  return /(?:^|\0)[kv]:[^\0]*$/.test(path)
}

function rebuild (like: unknown, children: Map<string, unknown>): unknown {
  if (Array.isArray(like)) return [...children.values()]
  return Object.fromEntries([...children].map(([element, child]) => [element.slice(2), child]))
}
