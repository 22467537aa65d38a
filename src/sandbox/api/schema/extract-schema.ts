/**
 * Makes `kubernetes-schema.json` from a real kube-apiserver: the OpenAPI definitions of the kinds that the sandbox serves, without
 * descriptions, and the protobuf field numbers of the same types, from the descriptors that lie in the server's binary.
 *
 *     kubectl get --raw /openapi/v2 > swagger.json
 *     node src/sandbox/api/schema/extract-schema.ts swagger.json path/to/kube-apiserver
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asArray, asObject, type UnknownObject } from '../../../core/unknown.ts'
import { listAt, objectAt, textAt } from '../objects/kubernetes-object.ts'
import { RESOURCES } from '../objects/resource-table.ts'
import type { FieldNumbers, KubernetesSchema } from './kubernetes-schema.ts'
import { readDescriptors, type MessageField } from './protobuf-descriptors.ts'

const SUPPLEMENT: Record<string, UnknownObject> = {
  // Newer than the servers that the schema can be taken from without Go's current toolchain.
  'io.k8s.api.core.v1.ImageVolumeSource': { type: 'object', properties: { reference: { type: 'string' }, pullPolicy: { type: 'string' } } }
}
const EXTRA_ROOTS = ['io.k8s.api.autoscaling.v1.Scale', 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', ...Object.keys(SUPPLEMENT)]

const [swaggerFile = '', serverFile = ''] = process.argv.slice(2)
// CronJob was still a beta there; its fields are those of v1.
const swagger = JSON.parse((await readFile(swaggerFile, 'utf8')).replaceAll('io.k8s.api.batch.v1beta1.', 'io.k8s.api.batch.v1.')) as UnknownObject
for (const name of ['CronJob', 'CronJobList']) {
  for (const type of listAt(swagger, 'definitions', `io.k8s.api.batch.v1.${name}`, 'x-kubernetes-group-version-kind')) objectAt(type).version = 'v1'
}
const messages = new Map([...readDescriptors(await readFile(serverFile))].map(([name, fields]) => [toDefinitionName(name), fields]))
const definitions = collectDefinitions({ ...objectAt(swagger, 'definitions'), ...SUPPLEMENT })
objectAt(definitions, 'io.k8s.api.core.v1.Volume', 'properties').image = { $ref: '#/definitions/io.k8s.api.core.v1.ImageVolumeSource' }
const schema: KubernetesSchema = { definitions: definitions as KubernetesSchema['definitions'], fieldNumbers: collectFieldNumbers(definitions) }
await writeFile(join(import.meta.dirname, 'kubernetes-schema.json'), JSON.stringify(schema) + '\n')

function collectDefinitions (all: UnknownObject): UnknownObject {
  const found: UnknownObject = {}
  const open = [...Object.keys(all).filter((name) => isServed(all[name])), ...EXTRA_ROOTS]
  for (const name of open) {
    if (name in found || all[name] === undefined) continue
    const definition = strip(all[name]) as UnknownObject
    found[name] = definition
    open.push(...listReferences(definition))
  }
  return found
}

function isServed (definition: unknown): boolean {
  return asArray(asObject(definition)?.['x-kubernetes-group-version-kind']).some((type) => RESOURCES.some(({ group, kind }) => {
    return group === textAt(type, 'group') && [kind, `${kind}List`].includes(textAt(type, 'kind'))
  }))
}

function strip (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip)
  const object = asObject(value)
  if (object === undefined) return value
  // `description` is a text, except where a type has a field of that name.
  return Object.fromEntries(Object.entries(object).filter(([key, item]) => key !== 'description' || typeof item !== 'string').map(([key, item]) => [key, strip(item)]))
}

function listReferences (value: unknown): string[] {
  return [...JSON.stringify(value).matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, name = '']) => name)
}

/** `k8s.io.kubernetes.vendor.k8s.io.api.core.v1.Pod` is `io.k8s.api.core.v1.Pod` in OpenAPI. */
function toDefinitionName (messageName: string): string {
  return messageName.replace(/^.*k8s\.io\./, 'io.k8s.').replace('io.k8s.api.batch.v1beta1.', 'io.k8s.api.batch.v1.')
}

function collectFieldNumbers (found: UnknownObject): Record<string, FieldNumbers> {
  const numbers: Record<string, FieldNumbers> = {}
  for (const name of Object.keys(found)) addMessage(numbers, name, objectAt(found, name, 'properties'))
  return numbers
}

/** A message whose fields Go embeds has no property of its own: its fields stand in the one that holds it. */
function addMessage (numbers: Record<string, FieldNumbers>, name: string, properties: UnknownObject): void {
  const fields = messages.get(name)
  if (fields === undefined || name in numbers) return
  const entries = fields.map((field): [number, FieldNumbers[string]] => [field.number, toEntry(field, properties)])
  numbers[name] = Object.fromEntries(entries)
  for (const { typeName, name: field } of fields) if (typeName !== '' && !(field in properties) && !(toDefinitionName(typeName) in definitions)) addMessage(numbers, toDefinitionName(typeName), properties)
}

function toEntry ({ name, typeName }: MessageField, properties: UnknownObject): FieldNumbers[string] {
  return name in properties || typeName === '' ? name : { embedded: toDefinitionName(typeName) }
}
