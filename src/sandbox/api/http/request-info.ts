import type { Resource, Subresource } from '../objects/resource.ts'
import { findResource } from '../objects/resource-table.ts'
import { badRequest, noSuchResource } from '../status-error.ts'

/** What a path under /api or /apis points at. */
export interface RequestInfo {
  resource: Resource
  /** Empty for cluster-scoped resources and for all namespaces. */
  namespace: string
  /** Empty for the collection. */
  name: string
  subresource?: Subresource
}

/**
 * Reads a resource path: `/api/v1/namespaces/NS/pods/NAME/status`, `/apis/apps/v1/deployments`.
 * Undefined for what is no resource path at all; 404 for a resource that is not served.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
 */
export function parseResourcePath (pathname: string): RequestInfo | undefined {
  const [root, ...rest] = pathname.split('/').filter((part) => part !== '').map(decodePart)
  if (root === 'api' && rest.length > 1) return resolve('', rest)
  if (root === 'apis' && rest.length > 2) return resolve(rest[0] ?? '', rest.slice(1))
  return undefined
}

function decodePart (part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw badRequest(`invalid URL escape in ${JSON.stringify(part)}`)
  }
}

function resolve (group: string, [version = '', ...parts]: string[]): RequestInfo {
  // /namespaces/NS alone is the Namespace; with a resource after it, NS is where that lies.
  const isNamespaced = parts[0] === 'namespaces' && parts.length > 2 && !['status', 'finalize'].includes(parts[2] ?? '')
  const [plural = '', name = '', subresource, ...extra] = isNamespaced ? parts.slice(2) : parts
  const resource = findResource(group, version, plural)
  if (resource === undefined || extra.length > 0 || (isNamespaced && !resource.namespaced)) throw noSuchResource()
  if (name !== '' && resource.namespaced && !isNamespaced) throw noSuchResource()
  if (subresource !== undefined && !hasSubresource(resource, subresource)) throw noSuchResource()
  return { resource, namespace: isNamespaced ? parts[1] ?? '' : '', name, ...(subresource !== undefined && { subresource }) }
}

function hasSubresource (resource: Resource, name: string): name is Subresource {
  return resource.subresources.some((subresource) => subresource === name)
}
