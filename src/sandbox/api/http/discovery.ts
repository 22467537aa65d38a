import type { UnknownObject } from '../../../core/unknown.ts'
import { formatGroupVersion, type Resource, type Subresource } from '../objects/resource.ts'
import { RESOURCES } from '../objects/resource-table.ts'

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** What `kubectl version` shows; the version whose behaviour this API follows. */
export const VERSION = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0+pullkeeper-sandbox',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: `${process.platform}/${process.arch}`
}

/**
 * Answers the discovery paths: `/api`, `/api/v1`, `/apis`, `/apis/GROUP`, `/apis/GROUP/VERSION`; undefined for others.
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
 */
export function describeApi (pathname: string): object | undefined {
  const [root, group, version, ...rest] = pathname.split('/').filter((part) => part !== '')
  if (rest.length > 0) return undefined
  if (root === 'api') return describeLegacyApi(group, version)
  if (root !== 'apis') return undefined
  if (group === undefined) return { kind: 'APIGroupList', apiVersion: 'v1', groups: listGroups().map(describeGroup) }
  if (!listGroups().includes(group)) return undefined
  if (version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...describeGroup(group) }
  return describeGroupVersion(group, version)
}

function describeLegacyApi (version: string | undefined, extra: string | undefined): object | undefined {
  if (version === undefined) return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  return extra === undefined ? describeGroupVersion('', version) : undefined
}

function listGroups (): string[] {
  return [...new Set(RESOURCES.map(({ group }) => group))].filter((group) => group !== '')
}

function describeGroup (group: string): UnknownObject {
  const versions = [...new Set(RESOURCES.filter((resource) => resource.group === group).map(({ version }) => version))]
    .map((version) => ({ groupVersion: formatGroupVersion({ group, version }), version }))
  return { name: group, versions, preferredVersion: versions[0] }
}

function describeGroupVersion (group: string, version: string): object | undefined {
  const found = RESOURCES.filter((resource) => resource.group === group && resource.version === version)
  if (found.length === 0) return undefined
  const resources = found.flatMap((resource) => [describeResource(resource), ...resource.subresources.map((subresource) => describeSubresource(resource, subresource))])
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: formatGroupVersion({ group, version }), resources }
}

function describeResource ({ plural, singular, namespaced, kind, shortNames, categories }: Resource): object {
  const verbs = kind === 'Namespace' ? VERBS.filter((verb) => verb !== 'deletecollection') : VERBS
  return { name: plural, singularName: singular, namespaced, kind, verbs, ...(shortNames.length > 0 && { shortNames }), ...(categories.length > 0 && { categories }) }
}

function describeSubresource ({ plural, namespaced, kind }: Resource, subresource: Subresource): object {
  const base = { name: `${plural}/${subresource}`, singularName: '', namespaced }
  switch (subresource) {
    case 'scale': return { ...base, group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] }
    case 'finalize': return { ...base, kind, verbs: ['update'] }
    case 'status': return { ...base, kind, verbs: ['get', 'patch', 'update'] }
  }
}
