import { isDeepStrictEqual } from 'node:util'
import { asObject } from '../../../core/unknown.ts'
import { forbiddenField, invalidValue, required, tooLong, type FieldError } from '../field-error.ts'
import { objectAt, textAt, valueAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { badRequest } from '../status-error.ts'

const MAX_SECRET_BYTES = 1024 * 1024
const MAX_KEY = 253
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** The key that each Docker type must hold, and which JSON it must be. */
const DOCKER_KEYS: Record<string, string> = {
  'kubernetes.io/dockerconfigjson': '.dockerconfigjson',
  'kubernetes.io/dockercfg': '.dockercfg'
}

/** Refuses data that is no base64: 400, since the object can't even be decoded. */
export function checkSecretEncoding (secret: KubernetesObject): void {
  for (const value of Object.values(objectAt(secret, 'data'))) {
    if (typeof value !== 'string' || !BASE64.test(value.replace(/[\r\n]/g, ''))) {
      throw badRequest('Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0')
    }
  }
}

/**
 * The rules of a Secret: keys, 1 MiB in all, and for the Docker types a JSON object under the right key.
 * https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets
 */
export function validateSecret (secret: KubernetesObject): FieldError[] {
  const data = Object.entries(objectAt(secret, 'data'))
  const bytes = data.reduce((sum, [, value]) => sum + Buffer.byteLength(String(value), 'base64'), 0)
  return [
    ...data.flatMap(([key]) => validateKey(key)),
    ...(bytes > MAX_SECRET_BYTES ? [tooLong('data', MAX_SECRET_BYTES)] : []),
    ...validateDockerConfig(secret)
  ]
}

/** What an update may not change: the type always, the content when `immutable` is set. */
export function validateSecretUpdate (secret: KubernetesObject, old: KubernetesObject): FieldError[] {
  const errors = secret.type === old.type ? [] : [invalidValue('type', secret.type, 'field is immutable')]
  if (valueAt(old, 'immutable') !== true) return errors
  if (valueAt(secret, 'immutable') !== true) errors.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'))
  if (!isDeepStrictEqual(objectAt(secret, 'data'), objectAt(old, 'data'))) errors.push(forbiddenField('data', 'field is immutable when `immutable` is set'))
  return errors
}

function validateKey (key: string): FieldError[] {
  if (/^[-._a-zA-Z0-9]+$/.test(key) && key.length <= MAX_KEY && key !== '.' && key !== '..') return []
  return [invalidValue(`data[${key}]`, key, "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')")]
}

function validateDockerConfig (secret: KubernetesObject): FieldError[] {
  const key = DOCKER_KEYS[textAt(secret, 'type')]
  if (key === undefined) return []
  const field = `data[${key}]`
  const value = objectAt(secret, 'data')[key]
  if (typeof value !== 'string') return [required(field)]
  const why = explainBadJson(Buffer.from(value, 'base64').toString())
  return why === undefined ? [] : [{ ...invalidValue(field, '<secret contents redacted>', why) }]
}

/** Go's words for the same mistakes; the content itself is never shown. */
function explainBadJson (text: string): string | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return text.trim() === '' ? 'unexpected end of JSON input' : 'invalid character looking for beginning of value'
  }
  if (asObject(parsed) !== undefined || parsed === null) return undefined
  return `json: cannot unmarshal ${Array.isArray(parsed) ? 'array' : typeof parsed} into Go value of type map[string]interface {}`
}
