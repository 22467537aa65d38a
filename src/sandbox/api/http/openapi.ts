import type { UnknownObject } from '../../../core/unknown.ts'
import { formatGroupVersion, type Resource } from '../objects/resource.ts'
import { RESOURCES } from '../objects/resource-table.ts'
import { loadKubernetesSchema } from '../schema/kubernetes-schema.ts'

const ROOT = '/openapi/v3'
/** Names this content; kubectl caches by it. */
const HASH = 'pullkeeper-sandbox-1'

/**
 * Answers OpenAPI v3: the index and one document per group and version. kubectl reads it for `explain`, for the merge keys of
 * `apply`, and to learn that the server knows `fieldValidation`. There is no v2, which kubectl would want as protobuf.
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
 */
export async function answerOpenApi (pathname: string): Promise<object | undefined> {
  if (pathname === ROOT) return describeIndex()
  if (!pathname.startsWith(`${ROOT}/`)) return undefined
  const path = pathname.slice(ROOT.length + 1)
  const resources = RESOURCES.filter((resource) => formatRoot(resource) === path)
  return resources.length === 0 ? undefined : describeGroupVersion(resources)
}

function describeIndex (): object {
  const roots = [...new Set(RESOURCES.map(formatRoot))]
  return { paths: Object.fromEntries(roots.map((root) => [root, { serverRelativeURL: `${ROOT}/${root}?hash=${HASH}` }])) }
}

async function describeGroupVersion (resources: Resource[]): Promise<object> {
  const { definitions } = await loadKubernetesSchema()
  const schemas = JSON.parse(JSON.stringify(definitions).replaceAll('#/definitions/', '#/components/schemas/')) as UnknownObject
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.35.0' },
    paths: Object.fromEntries(resources.map((resource) => [formatObjectPath(resource), describePaths(resource)])),
    components: { schemas }
  }
}

function describePaths (resource: Resource): object {
  const type = { group: resource.group, version: resource.version, kind: resource.kind }
  const parameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } }))
  const describe = (action: string): object => ({ 'x-kubernetes-action': action, 'x-kubernetes-group-version-kind': type, parameters, responses: {} })
  return { get: describe('get'), put: describe('put'), patch: describe('patch'), delete: describe('delete') }
}

function formatRoot (resource: Resource): string {
  return `${resource.group === '' ? 'api' : 'apis'}/${formatGroupVersion(resource)}`
}

function formatObjectPath (resource: Resource): string {
  return `/${formatRoot(resource)}/${resource.namespaced ? 'namespaces/{namespace}/' : ''}${resource.plural}/{name}`
}
