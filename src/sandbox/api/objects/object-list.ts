import type { KubernetesObject } from './kubernetes-object.ts'
import { createObjectFilter } from './list-selector.ts'
import type { ObjectStore } from './object-store.ts'
import type { ObjectPage } from '../printing/object-table.ts'
import type { RequestInfo } from '../http/request-info.ts'
import { badRequest, expired, resourceVersionTooLarge } from '../status-error.ts'

/**
 * Lists objects by selectors, page by page when `limit` says so. A page shows the state of its own moment;
 * the API server would show that of the first one.
 */
export function listObjects (store: ObjectStore, { resource, namespace, name }: RequestInfo, query: URLSearchParams): ObjectPage {
  checkVersion(store, query)
  const filter = createObjectFilter(resource, query)
  const all = store.list(resource, namespace).filter((object) => (name === '' || object.metadata.name === name) && filter(object))
  const start = readContinueToken(query.get('continue') ?? '')
  const rest = all.filter((object) => formatPosition(object) > start)
  const limit = readLimit(query.get('limit'))
  const items = limit === 0 ? rest : rest.slice(0, limit)
  const last = items.at(-1)
  const remainingItemCount = rest.length - items.length
  return {
    items,
    resourceVersion: String(store.currentVersion()),
    ...(remainingItemCount > 0 && last !== undefined && { continueToken: Buffer.from(formatPosition(last)).toString('base64url'), remainingItemCount })
  }
}

/** A resourceVersion of a query as a number; absent = undefined. */
export function readVersion (query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion') ?? ''
  if (text === '') return undefined
  if (!/^\d+$/.test(text)) throw badRequest(`resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`)
  return Number(text)
}

/** No state of the past is kept: `Exact` is answered for the present only. */
function checkVersion (store: ObjectStore, query: URLSearchParams): void {
  const version = readVersion(query)
  if (version === undefined) return
  const current = store.currentVersion()
  if (version > current) throw resourceVersionTooLarge(version, current)
  if (query.get('resourceVersionMatch') === 'Exact' && version < current) throw expired(version, current)
}

function readLimit (text: string | null): number {
  if (text !== null && !/^\d*$/.test(text)) throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`)
  return Number(text ?? 0)
}

function readContinueToken (token: string): string {
  return Buffer.from(token, 'base64url').toString()
}

function formatPosition ({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}\0${metadata.name ?? ''}`
}
