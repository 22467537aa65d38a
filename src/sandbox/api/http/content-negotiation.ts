import type { IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { badRequest, notAcceptable, requestTooLarge, unsupportedMediaType } from '../status-error.ts'

/** In which form a client wants objects. */
export type Representation = 'Object' | 'Table' | 'PartialObjectMetadata'

/** The API server's own limit for a body. */
const MAX_BODY_BYTES = 3 * 1024 * 1024
const JSON_TYPE = 'application/json'
const YAML_TYPE = 'application/yaml'
const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf'

/**
 * Picks the first form of the Accept header that is offered: JSON, as the object itself, as a Table (kubectl get) or as metadata only.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
 */
export function negotiateRepresentation (accept = ''): Representation {
  if (accept.trim() === '') return 'Object'
  for (const clause of accept.split(',')) {
    const [type = '', ...parameters] = clause.split(';').map((part) => part.trim())
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3)
    const isKnownVersion = parameters.includes('v=v1') || as === undefined
    if (![JSON_TYPE, 'application/*', '*/*'].includes(type) || !isKnownVersion) continue
    if (as === undefined) return 'Object'
    if (as === 'Table') return 'Table'
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return 'PartialObjectMetadata'
  }
  throw notAcceptable()
}

/** Reads a body of JSON, YAML or Kubernetes' protobuf; undefined when there is none. 415 for every other type, 413 above 3 MiB. */
export async function readBody (request: IncomingMessage): Promise<unknown> {
  const type = readContentType(request) || JSON_TYPE
  const isYaml = type === YAML_TYPE || type === 'application/apply-patch+yaml'
  if (!isYaml && type !== PROTOBUF_TYPE && !type.endsWith('json')) throw unsupportedMediaType([JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE])
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw requestTooLarge()
  const bytes = await buffer(request)
  if (bytes.length > MAX_BODY_BYTES) throw requestTooLarge()
  if (bytes.length === 0) return undefined
  if (type === PROTOBUF_TYPE) return parseProtobuf(bytes)
  return isYaml ? parseYaml(bytes.toString()) : parseJson(bytes.toString())
}

/** The media type without parameters, in lower case; empty when none is named. */
export function readContentType ({ headers }: IncomingMessage): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`)
  }
}

/** Loaded when the first such body comes, since a start must not wait for it. */
async function parseProtobuf (bytes: Buffer): Promise<unknown> {
  const { decodeProtobuf } = await import('../schema/protobuf-decoding.ts')
  return decodeProtobuf(bytes)
}

/** JSON is YAML, too, and read far faster. The other parser is loaded when it is needed first: kubectl sends YAML only for server-side apply. */
async function parseYaml (text: string): Promise<unknown> {
  try {
    return JSON.parse(text)
  } catch {}
  const { parse } = await import('yaml')
  try {
    return parse(text)
  } catch (error) {
    throw badRequest(`error decoding YAML: ${(error as Error).message}`)
  }
}
