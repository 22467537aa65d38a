import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import { listAt } from '../objects/kubernetes-object.ts'
import { StatusError } from '../status-error.ts'

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

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
  const message = `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`
  throw new StatusError(422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: dryRun: ${message}`, {
    group: 'meta.k8s.io', kind, causes: [{ reason: 'FieldValueNotSupported', message, field: 'dryRun' }]
  })
}
