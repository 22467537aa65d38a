import { asObject, type UnknownObject } from '../../../core/unknown.ts'

/**
 * Paths of fields, as their elements joined by NUL. The elements are those of `fieldsV1`: `f:NAME` a field or a key of a map,
 * `k:{...}` an item of a list by its keys, `v:...` an item of a set by its value. A path that has others below it stands for
 * the object or item itself.
 * https://github.com/kubernetes-sigs/structured-merge-diff/blob/master/fieldpath/element.go
 */
export type FieldSet = ReadonlySet<string>

const SEPARATOR = '\0'
/** In `fieldsV1`, says that an object with fields below it is meant itself, too. */
const SELF = '.'

/** The path of what lies at `element` below `parent`; an empty parent is the object itself. */
export function joinField (parent: string, element: string): string {
  return parent === '' ? element : `${parent}${SEPARATOR}${element}`
}

/** The paths of either set. */
export function uniteFields (a: FieldSet, b: FieldSet): Set<string> {
  return new Set([...a, ...b])
}

/** The paths of both sets. */
export function intersectFields (a: FieldSet, b: FieldSet): Set<string> {
  return new Set([...a].filter((path) => b.has(path)))
}

/** The paths of the first set that the second has not. */
export function subtractFields (a: FieldSet, b: FieldSet): Set<string> {
  return new Set([...a].filter((path) => !b.has(path)))
}

/** The paths and everything above them. */
export function closeUpwards (fields: Iterable<string>): Set<string> {
  const closed = new Set<string>()
  for (const field of fields) {
    for (let path = field; path !== '' && !closed.has(path); path = path.slice(0, Math.max(path.lastIndexOf(SEPARATOR), 0))) closed.add(path)
  }
  return closed
}

/** Reads the `fieldsV1` of one entry of `metadata.managedFields`; what is no such tree has no fields. */
export function parseFieldsV1 (tree: unknown, parent = '', found = new Set<string>()): Set<string> {
  for (const [element, below] of Object.entries(asObject(tree) ?? {})) {
    if (element === SELF) continue
    const path = joinField(parent, element)
    const children = Object.keys(asObject(below) ?? {})
    if (children.length === 0 || children.includes(SELF)) found.add(path)
    parseFieldsV1(below, path, found)
  }
  return found
}

/** Writes paths as `fieldsV1`, in Go's order of keys. */
export function formatFieldsV1 (fields: FieldSet): UnknownObject {
  const tree: UnknownObject = {}
  for (const path of [...fields].sort()) {
    const leaf = path.split(SEPARATOR).reduce((node, element) => {
      const below = asObject(node[element]) ?? {}
      node[element] = below
      return below
    }, tree)
    leaf[SELF] = {}
  }
  return dropNeedlessSelf(tree)
}

/** A path as conflicts show it: `.spec.containers[name="a"].image`. */
export function formatFieldPath (path: string): string {
  return path.split(SEPARATOR).map((element) => {
    const text = element.slice(2)
    if (element.startsWith('f:')) return `.${text}`
    if (element.startsWith('v:')) return `[=${text}]`
    const keys = Object.entries(JSON.parse(text) as UnknownObject)
    return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
  }).join('')
}

function dropNeedlessSelf (tree: UnknownObject): UnknownObject {
  return Object.fromEntries(Object.entries(tree).map(([element, below]) => {
    const node = asObject(below) ?? {}
    return [element, Object.keys(node).length === 1 && SELF in node ? {} : dropNeedlessSelf(node)]
  }))
}
