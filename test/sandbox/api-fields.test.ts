import fc from 'fast-check'
import t from 'tap'
import type { UnknownObject } from '../../src/core/unknown.ts'
import type { ApiCall } from '../../src/sandbox/api/admission/admission-attributes.ts'
import type { KubernetesObject } from '../../src/sandbox/api/objects/kubernetes-object.ts'
import { SECRETS } from '../../src/sandbox/api/objects/resource-table.ts'
import { formatFieldPath, formatFieldsV1, parseFieldsV1 } from '../../src/sandbox/api/writes/field-sets.ts'
import { compareFields, listAppliedFields, mergeFields, removeFields } from '../../src/sandbox/api/writes/object-fields.ts'
import { applyConfiguration } from '../../src/sandbox/api/writes/server-side-apply.ts'

/** The laws of server-side apply, whatever is applied. */

const NOW = new Date('2026-01-01T00:00:00Z')
const key = fc.constantFrom('a', 'b', 'c', '.dockerconfigjson')
const map = fc.dictionary(key, fc.constantFrom('eA==', 'eQ=='), { noNullPrototype: true })
const configuration = fc.record({
  metadata: fc.record({ labels: map, annotations: map, finalizers: fc.uniqueArray(fc.constantFrom('example.com/a', 'example.com/b')) }, { requiredKeys: [], noNullPrototype: true }),
  data: map,
  spec: fc.record({ containers: fc.uniqueArray(fc.record({ name: key, image: fc.constantFrom('i:1', 'i:2') }, { noNullPrototype: true }), { selector: ({ name }) => name }) }, { noNullPrototype: true })
}, { requiredKeys: ['metadata'], noNullPrototype: true })

const toObject = (fields: object): KubernetesObject => ({ apiVersion: 'v1', kind: 'Secret', ...fields } as KubernetesObject)
const call = (manager: string): ApiCall => ({
  resource: SECRETS,
  namespace: 'default',
  name: 'secret',
  user: { username: 'admin', uid: 'admin', groups: [] },
  dryRun: false,
  options: { fieldManager: manager, force: true },
  warnings: new Set(),
  audit: { annotate () {}, setRequestObject () {}, finish () {} }
})
const apply = (manager: string, current: KubernetesObject, fields: object): KubernetesObject => applyConfiguration(call(manager), current, toObject(fields), NOW)
/** The values alone: paths of all fields, with what stands there. */
const fieldsOf = (object: UnknownObject): Set<string> => new Set(listAppliedFields(object))
const BARE = toObject({ metadata: {} })

void t.test('fieldsV1 is read as it was written', (t) => {
  fc.assert(fc.property(configuration, (fields) => {
    const { changed } = compareFields(undefined, toObject(fields))
    t.strictSame(parseFieldsV1(formatFieldsV1(changed)), changed)
  }))
  t.end()
})

void t.test('what is merged holds all that was applied, and all that was there beside it', (t) => {
  fc.assert(fc.property(configuration, configuration, (live, applied) => {
    const merged = mergeFields(toObject(live), toObject(applied)) as UnknownObject
    const { changed } = compareFields(merged, mergeFields(merged, toObject(applied)))
    t.equal(changed.size, 0)
    for (const field of [...fieldsOf(toObject(live)), ...fieldsOf(toObject(applied))]) t.ok(fieldsOf(merged).has(field), formatFieldPath(field))
  }), { numRuns: 50 })
  t.end()
})

void t.test('applied twice is applied once', (t) => {
  fc.assert(fc.property(configuration, configuration, (live, applied) => {
    const once = apply('a', apply('b', BARE, live), applied)
    t.equal(apply('a', once, applied), once)
  }), { numRuns: 50 })
  t.end()
})

void t.test('who applies something and then nothing leaves what the others have', (t) => {
  fc.assert(fc.property(configuration, configuration, (others, own) => {
    const before = apply('b', BARE, others)
    const left = apply('a', apply('a', before, own), { metadata: {} })
    for (const field of fieldsOf(left)) t.ok(fieldsOf(before).has(field), formatFieldPath(field))
  }), { numRuns: 50 })
  t.end()
})

void t.test('nothing is taken away that somebody holds', (t) => {
  fc.assert(fc.property(configuration, (fields) => {
    const object = toObject(fields)
    const all = listAppliedFields(object)
    t.equal(removeFields(object, all, all), object)
    t.equal(listAppliedFields(removeFields(object, all, new Set())).size, 0)
  }))
  t.end()
})
