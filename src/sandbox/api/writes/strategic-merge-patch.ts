import { isDeepStrictEqual } from 'node:util'
import { asArray, asObject, type UnknownObject } from '../../../core/unknown.ts'
import { findMergeKey, isMergedSet } from './patch-merge-keys.ts'
import { badRequest } from '../status-error.ts'

const DELETE_FROM = '$deleteFromPrimitiveList/'
const ELEMENT_ORDER = '$setElementOrder/'

/**
 * Applies a strategic merge patch: like a merge patch, but lists that have a merge key are merged by it,
 * and directives say what a list or object can't. Nothing is changed in place. `at` is where `target` stands, with a final dot.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
export function applyStrategicMergePatch (target: UnknownObject, patch: UnknownObject, at = ''): UnknownObject {
  const { $patch: directive, $retainKeys: retained, ...fields } = patch
  if (directive === 'replace') return dropNulls(fields)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') throw badRequest(`unknown patch type found: ${String(directive)}`)
  const result = retained === undefined ? { ...target } : retainKeys(target, asArray(retained))
  for (const [key, value] of Object.entries(fields)) {
    if (!key.startsWith('$') && key !== '__proto__') mergeField(result, key, value, `${at}${key}`)
  }
  for (const [key, value] of Object.entries(fields)) applyListDirective(result, key, asArray(value))
  return result
}

function mergeField (result: UnknownObject, key: string, value: unknown, path: string): void {
  const current = result[key]
  const nested = asObject(value)
  if (value === null) Reflect.deleteProperty(result, key)
  else if (nested?.$patch === 'delete') Reflect.deleteProperty(result, key)
  else if (nested !== undefined) result[key] = applyStrategicMergePatch(asObject(current) ?? {}, nested, `${path}.`)
  else result[key] = Array.isArray(value) ? mergeList(path, asArray(current), value) : value
}

function mergeList (path: string, current: unknown[], patch: unknown[]): unknown[] {
  if (isMergedSet(path)) return [...current, ...patch.filter((value) => !current.includes(value))]
  const mergeKey = findMergeKey(path)
  const isReplaced = patch.some((item) => asObject(item)?.$patch === 'replace')
  if (mergeKey === undefined || isReplaced) return patch.filter((item) => asObject(item)?.$patch === undefined)
  return patch.reduce<unknown[]>((list, item) => mergeItem(list, asObject(item) ?? {}, mergeKey, path), current)
}

function mergeItem (list: unknown[], item: UnknownObject, mergeKey: string, path: string): unknown[] {
  const key = item[mergeKey]
  if (key === undefined) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`)
  const isSame = (other: unknown): boolean => isDeepStrictEqual(asObject(other)?.[mergeKey], key)
  if (item.$patch === 'delete') return list.filter((other) => !isSame(other))
  const index = list.findIndex(isSame)
  if (index === -1) return [...list, dropNulls(item)]
  return list.with(index, applyStrategicMergePatch(asObject(list[index]) ?? {}, item, `${path}.`))
}

function applyListDirective (result: UnknownObject, key: string, values: unknown[]): void {
  if (key.startsWith(DELETE_FROM)) {
    const field = key.slice(DELETE_FROM.length)
    result[field] = asArray(result[field]).filter((value) => !values.includes(value))
  }
  if (key.startsWith(ELEMENT_ORDER)) {
    const field = key.slice(ELEMENT_ORDER.length)
    if (Array.isArray(result[field])) result[field] = orderList(field, result[field], values)
  }
}

/** Items that the order names come in its order; the server's own items stay before what followed them. */
function orderList (field: string, list: unknown[], order: unknown[]): unknown[] {
  const mergeKey = findMergeKey(field)
  const idOf = (item: unknown): unknown => mergeKey === undefined ? item : asObject(item)?.[mergeKey]
  const rank = (item: unknown): number => order.findIndex((wanted) => isDeepStrictEqual(idOf(wanted), idOf(item)))
  const ranked = list.filter((item) => rank(item) !== -1).sort((a, b) => rank(a) - rank(b))
  return list.map((item) => rank(item) === -1 ? item : ranked.shift())
}

function retainKeys (target: UnknownObject, keys: unknown[]): UnknownObject {
  return Object.fromEntries(Object.entries(target).filter(([key]) => keys.includes(key)))
}

/** What is added whole must not carry the patch's own marks: nulls and directives. */
function dropNulls (fields: UnknownObject): UnknownObject {
  return Object.fromEntries(Object.entries(fields)
    .filter(([key, value]) => value !== null && !key.startsWith('$'))
    .map(([key, value]) => [key, asObject(value) === undefined ? value : dropNulls(asObject(value) ?? {})]))
}
