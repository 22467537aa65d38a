import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import { listAt } from '../objects/kubernetes-object.ts'
import { invalidValue, type FieldError } from '../field-error.ts'
import { invalid, type StatusError } from '../status-error.ts'

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

const MAX_MANAGER_BYTES = 128

/** The options of a write, as webhooks are shown them, and whether nothing is to be stored. */
export interface WriteOptions {
  options: UnknownObject
  dryRun: boolean
}

/**
 * Reads the options of a write from its query, and those of a deletion also from its body.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
 */
export function readWriteOptions (kind: OptionsKind, query: URLSearchParams, body?: unknown): WriteOptions {
  const given = kind === 'DeleteOptions' ? asObject(body) ?? {} : {}
  const { kind: bodyKind, apiVersion, ...fields } = given
  const dryRun = [...query.getAll('dryRun'), ...listAt(fields, 'dryRun')].filter((value) => value !== '')
  checkDryRun(kind, dryRun)
  checkFieldManager(kind, query.get('fieldManager') ?? '')
  const options: UnknownObject = {
    kind,
    apiVersion: 'meta.k8s.io/v1',
    ...fields,
    ...readFields(query, ['fieldManager', 'fieldValidation', 'propagationPolicy']),
    ...(query.has('gracePeriodSeconds') && { gracePeriodSeconds: Number(query.get('gracePeriodSeconds')) }),
    ...(query.has('force') && { force: query.get('force') === 'true' }),
    ...(dryRun.length > 0 && { dryRun })
  }
  return { options, dryRun: dryRun.length > 0 }
}

function readFields (query: URLSearchParams, names: string[]): UnknownObject {
  return Object.fromEntries(names.flatMap((name) => query.has(name) ? [[name, query.get(name)]] : []))
}

function checkDryRun (kind: OptionsKind, values: unknown[]): void {
  if (values.every((value) => value === 'All')) return
  throw invalidOptions(kind, { reason: 'FieldValueNotSupported', message: `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`, field: 'dryRun' })
}

function checkFieldManager (kind: OptionsKind, manager: string): void {
  if (Buffer.byteLength(manager) > MAX_MANAGER_BYTES) {
    throw invalidOptions(kind, { reason: 'FieldValueTooLong', message: `Too long: must have at most ${MAX_MANAGER_BYTES} bytes`, field: 'fieldManager' })
  }
  if (/\p{C}/u.test(manager)) throw invalidOptions(kind, invalidValue('fieldManager', manager, 'invalid character'))
}

function invalidOptions (kind: OptionsKind, error: FieldError): StatusError {
  return invalid({ group: 'meta.k8s.io', plural: kind.toLowerCase(), kind }, '', [error])
}
