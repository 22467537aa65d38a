import type { KubernetesObject } from './kubernetes-object.ts'
import { createObjectFilter } from './list-selector.ts'
import type { ObjectStore } from './object-store.ts'
import type { ObjectPage } from '../printing/object-table.ts'
import type { RequestInfo } from '../http/request-info.ts'
import { forbiddenField, notSupported, type FieldError } from '../field-error.ts'
import { badRequest, expiredList, invalid, resourceVersionTooLarge, StatusError } from '../status-error.ts'

const EXPIRED_LIST = 'The resourceVersion for the provided list is too old.'
const EXPIRED_CONTINUE = 'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'
const MATCH = 'resourceVersionMatch'
const MATCHES = ['Exact', 'NotOlderThan', '']

/** Where a page ends, and the version that the first page had; -1 goes on with the present. */
interface ContinueToken {
  rv: number
  start: string
}

/**
 * Lists objects by selectors, page by page when `limit` says so. A page shows the state of its own moment, under the version of the
 * first one: whoever watches from there sees what came between. The API server would show the state of the first page.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#the-resourceversion-parameter
 */
export function listObjects (store: ObjectStore, { resource, namespace, name }: RequestInfo, query: URLSearchParams): ObjectPage {
  checkVersionMatch(query, false)
  const token = readContinueToken(query.get('continue') ?? '')
  checkVersion(store, query, token)
  const filter = createObjectFilter(resource, query)
  const all = store.list(resource, namespace).filter((object) => (name === '' || object.metadata.name === name) && filter(object))
  const rest = token === undefined ? all : all.filter((object) => formatPosition(object) > token.start)
  const limit = readInteger(query.get('limit'))
  const items = limit <= 0 ? rest : rest.slice(0, limit)
  const last = items.at(-1)
  const remainingItemCount = rest.length - items.length
  const version = token === undefined || token.rv === -1 ? store.currentVersion() : token.rv
  return {
    items,
    resourceVersion: String(version),
    ...(remainingItemCount > 0 && last !== undefined && { continueToken: formatContinueToken({ rv: version, start: formatPosition(last) }), remainingItemCount })
  }
}

/** A resourceVersion of a query as a number; absent = undefined. */
export function readVersion (query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion') ?? ''
  if (text === '') return undefined
  if (!/^\d+$/.test(text)) throw new StatusError(500, '', `resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`)
  return Number(text)
}

/** An integer of a query; absent = 0. */
export function readInteger (text: string | null): number {
  if (text !== null && !/^-?\d*$/.test(text)) throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`)
  return Number(text ?? 0)
}

/** 422 for a `resourceVersionMatch` that does not go with the rest of the query. */
export function checkVersionMatch (query: URLSearchParams, isWatch: boolean): void {
  const match = query.get('resourceVersionMatch') ?? ''
  if (match === '' || (isWatch && query.get('sendInitialEvents') !== null)) return
  const errors = isWatch ? [forbiddenField(MATCH, 'resourceVersionMatch is forbidden for watch')] : findMatchErrors(query, match)
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', plural: 'listoptions', kind: 'ListOptions' }, '', errors)
}

function findMatchErrors (query: URLSearchParams, match: string): FieldError[] {
  const version = query.get('resourceVersion') ?? ''
  return [
    ...(version === '' ? [forbiddenField(MATCH, 'resourceVersionMatch is forbidden unless resourceVersion is provided')] : []),
    ...((query.get('continue') ?? '') === '' ? [] : [forbiddenField(MATCH, 'resourceVersionMatch is forbidden when continue is provided')]),
    ...(MATCHES.includes(match) ? [] : [notSupported(MATCH, match, MATCHES)]),
    ...(match === 'Exact' && version === '0' ? [forbiddenField(MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')] : [])
  ]
}

/** No state of the past is kept: `Exact` is answered for the present only. */
function checkVersion (store: ObjectStore, query: URLSearchParams, token: ContinueToken | undefined): void {
  const version = readVersion(query) ?? 0
  const current = store.currentVersion()
  if (token !== undefined) {
    if (version !== 0) throw badRequest('specifying resource version is not allowed when using continue')
    if (token.rv !== -1 && token.rv < store.oldestVersion()) throw expiredList(EXPIRED_CONTINUE, formatContinueToken({ ...token, rv: -1 }))
    return
  }
  const isExact = query.get(MATCH) === 'Exact'
  if (version > current) throw isExact ? new StatusError(500, '', 'etcdserver: mvcc: required revision is a future revision') : resourceVersionTooLarge(version, current)
  if (isExact && version < current) throw expiredList(EXPIRED_LIST)
}

function readContinueToken (text: string): ContinueToken | undefined {
  if (text === '') return undefined
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<ContinueToken> | null
    if (typeof token?.rv === 'number' && typeof token.start === 'string') return { rv: token.rv, start: token.start }
  } catch {}
  throw badRequest('invalid continue token: continue key is not valid')
}

function formatContinueToken (token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', ...token })).toString('base64url')
}

function formatPosition ({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}\0${metadata.name ?? ''}`
}
