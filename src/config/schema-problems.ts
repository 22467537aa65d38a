import { Ajv, type ErrorObject } from 'ajv'
import { closest, distance } from 'fastest-levenshtein'
import type { ConfigProblem } from '../core/config-problems.ts'
import { CONFIG_SCHEMA, type ConfigDocument } from './schema.ts'

/** Keywords of Ajv's that only say that something below them failed. */
const SILENT_KEYWORDS = new Set(['anyOf', 'oneOf', 'propertyNames'])

/** Nothing is removed, coerced or filled in: what passes is what the author wrote. */
const validate = new Ajv({
  allErrors: true,
  verbose: true,
  removeAdditional: false,
  coerceTypes: false,
  useDefaults: false
}).compile<ConfigDocument>(CONFIG_SCHEMA)

/** Whether a parsed document is a configuration by the schema. */
export function isConfigDocument (document: unknown): document is ConfigDocument {
  return validate(document)
}

/** Everything in which a parsed document departs from the schema. */
export function listSchemaProblems (document: unknown): ConfigProblem[] {
  if (validate(document)) return []
  return (validate.errors ?? []).filter(({ keyword }) => !SILENT_KEYWORDS.has(keyword)).map((error) => describeError(error, document))
}

function describeError (error: ErrorObject, document: unknown): ConfigProblem {
  const path = parsePointer(error.instancePath, document)
  const { params } = error
  switch (error.keyword) {
    case 'additionalProperties': return problem([...path, String(params.additionalProperty)], describeUnknownKey(error))
    case 'required': return problem(path, `lacks the key "${params.missingProperty}"`)
    case 'enum': return problem(path, describeWrongValue(error, path))
    case 'type': return problem(path, `must be ${describeType(String(params.type))}, not ${describeFound(error, path)}`)
    case 'minItems': return problem(path, 'must not be empty')
    case 'minProperties': return problem(path, `is empty; write exactly one of ${listKeys(error).join(', ')}`)
    case 'maxProperties': return problem(path, `has more than one key; keep exactly one of ${listKeys(error).join(', ')}`)
    default: return problem(path, `must be ${describeExpectation(error)}, not ${describeFound(error, path)}`)
  }
}

function describeUnknownKey (error: ErrorObject): string {
  const key = String(error.params.additionalProperty)
  const known = listKeys(error)
  return known.length === 0 ? 'is no valid key here' : `is an unknown key${suggest(key, known)}`
}

function describeWrongValue (error: ErrorObject, path: (string | number)[]): string {
  const allowed = (error.params.allowedValues as unknown[]).map(String)
  const wanted = allowed.length === 1 ? `must be ${allowed[0]}` : `must be one of ${allowed.join(', ')}`
  if (isSecretPlace(path)) return wanted
  return `${wanted}, not ${describeValue(error.data)}${typeof error.data === 'string' && allowed.length > 1 ? suggest(error.data, allowed) : ''}`
}

function describeExpectation ({ parentSchema, message }: ErrorObject): string {
  return typeof parentSchema?.description === 'string' ? parentSchema.description : message ?? 'valid'
}

/** A suggestion only where it is near: at most half of the letters differ. */
function suggest (written: string, known: string[]): string {
  const nearest = closest(written.toLowerCase(), known)
  const isNear = nearest.toLowerCase() === written.toLowerCase() || distance(written, nearest) <= Math.ceil(written.length / 2)
  return isNear ? `; did you mean "${nearest}"?` : `; known here: ${known.join(', ')}`
}

function listKeys ({ parentSchema }: ErrorObject): string[] {
  return Object.keys((parentSchema?.properties ?? {}) as object)
}

function describeType (type: string): string {
  if (type === 'array') return 'a list'
  return type === 'object' || type === 'integer' ? `an ${type}` : `a ${type}`
}

/** What stands there instead; not the text itself where somebody may have written a secret, or given the wrong file. */
function describeFound ({ data }: ErrorObject, path: (string | number)[]): string {
  return typeof data === 'string' && isSecretPlace(path) ? 'a string' : describeValue(data)
}

function isSecretPlace (path: (string | number)[]): boolean {
  return path.length === 0 || path.includes('registries') || path.includes('copyFrom')
}

function describeValue (value: unknown): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'string' ? `"${value}"` : `the ${typeof value} ${String(value)}`
}

/** The steps of a JSON Pointer (RFC 6901); a step is a number only where the document has a list. */
function parsePointer (pointer: string, document: unknown): (string | number)[] {
  let at = document
  return pointer.split('/').slice(1).map((step) => {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    const isIndex = Array.isArray(at)
    at = (at as Record<string, unknown> | undefined)?.[key]
    return isIndex ? Number(key) : key
  })
}

function problem (path: (string | number)[], message: string): ConfigProblem {
  return { severity: 'error', path, message }
}
