import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { formatGroupVersion, type Resource } from '../objects/resource.ts'
import { badRequest, type StatusError } from '../status-error.ts'

type Shape = 'string' | 'number' | 'microTime' | 'map' | 'strings' | 'objects' | 'object'

/** A moment to the microsecond (`metav1.MicroTime`). */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)$/

/** The fields that the API itself reads, and may therefore rely on. Everything else is kept as it came. */
const SHAPES: [path: string, shape: Shape][] = [
  ['metadata', 'object'], ['metadata.name', 'string'], ['metadata.generateName', 'string'], ['metadata.namespace', 'string'],
  ['metadata.uid', 'string'], ['metadata.resourceVersion', 'string'], ['metadata.creationTimestamp', 'string'],
  ['metadata.deletionTimestamp', 'string'], ['metadata.generation', 'number'], ['metadata.labels', 'map'],
  ['metadata.annotations', 'map'], ['metadata.finalizers', 'strings'], ['metadata.ownerReferences', 'objects'],
  ['data', 'map'], ['stringData', 'map'], ['status', 'object'], ['webhooks', 'objects'], ['imagePullSecrets', 'objects'],
  ['spec.holderIdentity', 'string'], ['spec.leaseDurationSeconds', 'number'], ['spec.leaseTransitions', 'number'],
  ['spec.acquireTime', 'microTime'], ['spec.renewTime', 'microTime'], ['count', 'number'], ['involvedObject', 'object'],
  ['spec', 'object'], ['spec.replicas', 'number'], ['spec.template', 'object'], ['spec.template.metadata', 'object'],
  ['spec.template.metadata.labels', 'map'], ['spec.template.metadata.annotations', 'map'], ['spec.template.spec', 'object'],
  ...['spec', 'spec.template.spec'].flatMap((spec): [string, Shape][] => [
    [`${spec}.containers`, 'objects'], [`${spec}.initContainers`, 'objects'], [`${spec}.ephemeralContainers`, 'objects'],
    [`${spec}.volumes`, 'objects'], [`${spec}.imagePullSecrets`, 'objects'], [`${spec}.serviceAccountName`, 'string']
  ])
]

/**
 * Takes a parsed body as an object of a resource: right version and kind, known fields of the right JSON type.
 * `null` means absent, as in Go. The answer to anything else is 400, before any rule is looked at.
 */
export function decodeObject (resource: Resource, body: unknown): KubernetesObject {
  const object = asObject(body)
  if (object === undefined) throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind}): couldn't get version/kind; json parse error`)
  checkKind(resource, object)
  for (const [path, shape] of SHAPES) checkShape(resource, object, path.split('.'), shape)
  const { metadata, ...rest } = object
  return { ...rest, kind: resource.kind, apiVersion: formatGroupVersion(resource), metadata: { ...asObject(metadata) } }
}

function checkKind (resource: Resource, { kind, apiVersion }: UnknownObject): void {
  const groupVersion = formatGroupVersion(resource)
  if (kind !== undefined && kind !== '' && kind !== resource.kind) {
    throw badRequest(`${String(kind)} in version "${resource.version}" cannot be handled as a ${resource.kind}: converting (${String(kind)}) to (${resource.kind}): unknown conversion`)
  }
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== groupVersion) {
    throw badRequest(`the API version in the data (${String(apiVersion)}) does not match the expected API version (${groupVersion})`)
  }
}

function checkShape (resource: Resource, parent: UnknownObject, [key = '', ...rest]: string[], shape: Shape, at: string[] = []): void {
  const value = parent[key]
  if (value === null) delete parent[key]
  if (value === undefined || value === null) return
  const path = [...at, key]
  if (rest.length > 0) {
    const child = asObject(value)
    if (child !== undefined) checkShape(resource, child, rest, shape, path)
  } else if (!hasShape(value, shape)) {
    if (shape === 'microTime' && typeof value === 'string') throw badTime(resource, value)
    throw badRequest(`${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: json: cannot unmarshal ${nameJsonType(value)} into Go struct field ${resource.kind}.${path.join('.')} of type ${shape}`)
  }
}

function hasShape (value: unknown, shape: Shape): boolean {
  switch (shape) {
    case 'string': return typeof value === 'string'
    case 'microTime': return typeof value === 'string' && MICRO_TIME.test(value)
    case 'number': return typeof value === 'number'
    case 'object': return asObject(value) !== undefined
    case 'map': return Object.values(asObject(value) ?? { none: 0 }).every((item) => typeof item === 'string')
    case 'strings': return Array.isArray(value) && value.every((item) => typeof item === 'string')
    case 'objects': return Array.isArray(value) && value.every((item) => asObject(item) !== undefined)
  }
}

/** Go reads exactly six digits of a fraction: what `Date.toISOString` writes is refused. */
function badTime ({ kind, version }: Resource, value: string): StatusError {
  const rest = value.slice('2006-01-02T15:04:05'.length)
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: parsing time "${value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "${rest}" as ".000000"`)
}

function nameJsonType (value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}
