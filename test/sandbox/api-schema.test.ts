import t from 'tap'
import { findMergeKey, findMergeKeys, isAtomicObject, isMergedSet } from '../../src/sandbox/api/writes/patch-merge-keys.ts'
import { RESOURCES } from '../../src/sandbox/api/objects/resource-table.ts'
import { decodeProtobuf } from '../../src/sandbox/api/schema/protobuf-decoding.ts'
import { loadKubernetesSchema } from '../../src/sandbox/api/schema/kubernetes-schema.ts'

interface Property {
  type?: string
  $ref?: string
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-patch-merge-key'?: string
  'x-kubernetes-patch-strategy'?: string
}

/** Where the server that the schema was taken from differs: a key that came later, and a list that no client may write here. */
const EXCEPTIONS = ['io.k8s.api.core.v1.EphemeralContainer.ports', 'io.k8s.api.core.v1.NamespaceSpec.finalizers']

void t.test('lists are merged by the keys that the schema names, and no others', async (t) => {
  const { definitions } = await loadKubernetesSchema()
  for (const [name, definition] of Object.entries(definitions)) {
    const at = name.endsWith('.ServiceAccount') || name.endsWith('.ObjectMeta') ? '' : 'spec.'
    for (const [field, property] of Object.entries(definition.properties ?? {}) as [string, Property][]) {
      if (property.type !== 'array' || EXCEPTIONS.includes(`${name}.${field}`)) continue
      const key = property['x-kubernetes-patch-merge-key']
      if (key === undefined) t.equal(isMergedSet(field), property['x-kubernetes-patch-strategy'] === 'merge', `${name}.${field}`)
      t.equal(findMergeKey(at + field), key, `${name}.${field}`)
    }
  }
})

void t.test('server-side apply tells list items apart, and takes objects as a whole, where the schema says so', async (t) => {
  const { definitions } = await loadKubernetesSchema()
  const isAtomic = ({ $ref = '' }: Property): boolean => (definitions[$ref.replace('#/definitions/', '')] as { 'x-kubernetes-map-type'?: string } | undefined)?.['x-kubernetes-map-type'] === 'atomic'
  for (const [name, definition] of Object.entries(definitions)) {
    for (const [field, property] of Object.entries(definition.properties ?? {}) as [string, Property][]) {
      const keys = property['x-kubernetes-list-map-keys']
      if (keys !== undefined) t.strictSame(Object.keys(findMergeKeys(`spec.${field}`) ?? {}), keys, `${name}.${field}`)
      if (property.$ref !== undefined) t.equal(isAtomicObject(field), isAtomic(property), `${name}.${field}`)
    }
  }
})

void t.test('every kind that is served is in the schema', async (t) => {
  const { definitions } = await loadKubernetesSchema()
  const types = Object.values(definitions).flatMap((definition) => (definition as { 'x-kubernetes-group-version-kind'?: { group: string, version: string, kind: string }[] })['x-kubernetes-group-version-kind'] ?? [])
  for (const { group, version, kind } of RESOURCES) t.ok(types.some((type) => type.group === group && type.version === version && type.kind === kind), kind)
})

void t.test('a body that is no protobuf is refused with 400', async (t) => {
  for (const body of ['', 'k8s', '{}', 'k8s\0', 'k8s\0\xff\xff', 'k8s\0\x0a\x7f', 'k8s\0\x00\x00']) {
    const outcome = await decodeProtobuf(Buffer.from(body, 'latin1')).catch((error: unknown) => error)
    t.match(outcome, { status: { code: 400 } }, JSON.stringify(body))
  }
})
