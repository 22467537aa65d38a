import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** An OpenAPI schema, as far as it is read here. */
export interface SchemaNode {
  $ref?: string
  type?: string
  format?: string
  items?: SchemaNode
  additionalProperties?: SchemaNode
  properties?: Record<string, SchemaNode>
}

/** The JSON field of each protobuf field number; `embedded` names a message whose fields stand in the same JSON object. */
export type FieldNumbers = Record<string, string | { embedded: string }>

/** What is stored of Kubernetes' types: OpenAPI definitions without descriptions, and their protobuf field numbers. */
export interface KubernetesSchema {
  definitions: Record<string, SchemaNode>
  fieldNumbers: Record<string, FieldNumbers>
}

let loading: Promise<KubernetesSchema> | undefined

/** Reads the stored schema, when it is asked for the first time: a start must not wait for it. */
export async function loadKubernetesSchema (): Promise<KubernetesSchema> {
  loading ??= readFile(join(import.meta.dirname, 'kubernetes-schema.json'), 'utf8').then((text) => JSON.parse(text) as KubernetesSchema)
  return loading
}
