import { asArray, type UnknownObject } from '../../../core/unknown.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { badRequest } from '../status-error.ts'
import { loadKubernetesSchema, type KubernetesSchema, type SchemaNode } from './kubernetes-schema.ts'
import { readFields, type WireField } from './protobuf-wire.ts'

/** The first bytes of every protobuf body: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding */
const MAGIC = Buffer.from('k8s\0')
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const REF = '#/definitions/'
/** Fields that Go keeps as pointers, so that zero and false are values of their own. All others are left out of the JSON when empty. */
const MEANINGFUL_ZEROS = [
  'replicas', 'completions', 'parallelism', 'backoffLimit', 'suspend', 'immutable', 'automountServiceAccountToken', 'enableServiceLinks',
  'terminationGracePeriodSeconds', 'gracePeriodSeconds', 'orphanDependents', 'ttlSecondsAfterFinished', 'controller', 'blockOwnerDeletion', 'optional'
]

/**
 * Turns a body in Kubernetes' protobuf into JSON: some commands of kubectl (`create namespace`, `create deployment`) send nothing else.
 * Fields that the stored schema does not know are dropped. 400 when the bytes are no such message.
 */
export async function decodeProtobuf (body: Buffer): Promise<UnknownObject> {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw badRequest('the provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  const schema = await loadKubernetesSchema()
  try {
    const envelope = readFields(body.subarray(MAGIC.length))
    const typeMeta = readFields(bytesOf(envelope, 1))
    const apiVersion = bytesOf(typeMeta, 1).toString()
    const kind = bytesOf(typeMeta, 2).toString()
    const definition = findDefinition(schema, apiVersion, kind)
    if (definition === undefined) throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`)
    return { kind, apiVersion, ...decodeMessage(schema, definition, bytesOf(envelope, 2)) } satisfies Partial<KubernetesObject>
  } catch (error) {
    throw error instanceof RangeError ? badRequest(`the protobuf body can't be decoded: ${error.message}`) : error
  }
}

function findDefinition ({ definitions }: KubernetesSchema, apiVersion: string, kind: string): string | undefined {
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  return Object.keys(definitions).find((name) => {
    const types = asArray((definitions[name] as UnknownObject)['x-kubernetes-group-version-kind']) as { group: string, version: string, kind: string }[]
    return types.some((type) => type.kind === kind && type.group === group && type.version === version)
  })
}

function decodeMessage (schema: KubernetesSchema, name: string, bytes: Buffer, properties = schema.definitions[name]?.properties ?? {}): UnknownObject {
  const result: UnknownObject = {}
  for (const { number, value } of readFields(bytes)) {
    const field = schema.fieldNumbers[name]?.[number]
    if (field === undefined) continue
    if (typeof field === 'string') addValue(schema, result, field, properties[field] ?? {}, value)
    else if (Buffer.isBuffer(value)) Object.assign(result, decodeMessage(schema, field.embedded, value, properties))
  }
  return result
}

function addValue (schema: KubernetesSchema, result: UnknownObject, field: string, node: SchemaNode, value: WireField['value']): void {
  if (node.type === 'array') {
    result[field] = [...asArray(result[field]), decodeValue(schema, node.items ?? {}, value)]
  } else if (node.additionalProperties !== undefined && Buffer.isBuffer(value)) {
    const entry = readFields(value)
    const item = entry.find(({ number }) => number === 2)?.value ?? Buffer.alloc(0)
    result[field] = { ...(result[field] as UnknownObject | undefined), [bytesOf(entry, 1).toString()]: decodeValue(schema, node.additionalProperties, item) }
  } else {
    const decoded = decodeValue(schema, node, value)
    const isEmpty = decoded === undefined || decoded === '' || decoded === 0 || decoded === false
    if (!isEmpty || (decoded !== undefined && MEANINGFUL_ZEROS.includes(field))) result[field] = decoded
  }
}

function decodeValue (schema: KubernetesSchema, node: SchemaNode, value: WireField['value']): unknown {
  if (typeof value === 'bigint') return node.type === 'boolean' ? value !== 0n : Number(BigInt.asIntN(64, value))
  if (node.format === 'byte') return value.toString('base64')
  if (node.$ref === undefined) return value.toString()
  const name = node.$ref.slice(REF.length)
  switch (name) {
    case `${META}.Time`: return decodeTime(value, 'seconds')
    case `${META}.MicroTime`: return decodeTime(value, 'microseconds')
    case `${META}.FieldsV1`: return {}
    case 'io.k8s.apimachinery.pkg.api.resource.Quantity': return bytesOf(readFields(value), 1).toString()
    case 'io.k8s.apimachinery.pkg.util.intstr.IntOrString': return decodeIntOrString(readFields(value))
    default: return decodeMessage(schema, name, value)
  }
}

/** A message without seconds is Go's zero time: no time at all. */
function decodeTime (bytes: Buffer, precision: 'seconds' | 'microseconds'): string | undefined {
  const fields = readFields(bytes)
  const seconds = numberOf(fields, 1)
  if (seconds === undefined) return undefined
  const text = new Date(seconds * 1000).toISOString()
  return precision === 'seconds' ? text.replace('.000Z', 'Z') : text.replace('.000Z', `.${String(Math.floor((numberOf(fields, 2) ?? 0) / 1000)).padStart(6, '0')}Z`)
}

function decodeIntOrString (fields: WireField[]): number | string {
  return numberOf(fields, 1) === 1 ? bytesOf(fields, 3).toString() : numberOf(fields, 2) ?? 0
}

function bytesOf (fields: WireField[], number: number): Buffer {
  const value = fields.find((field) => field.number === number)?.value
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0)
}

function numberOf (fields: WireField[], number: number): number | undefined {
  const value = fields.find((field) => field.number === number)?.value
  return typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : undefined
}
