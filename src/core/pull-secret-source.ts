import { formatObjectKey } from './kube-object.ts'
import type { Credential, PullSecret, ValueSource } from './pull-secret-config.ts'

/** Where a pull secret's content comes from, in words for an annotation and for `status`. */
export function describeSource ({ copyFrom, registries = [] }: Pick<PullSecret, 'copyFrom' | 'registries'>): string {
  if (copyFrom !== undefined) return `copy of ${describeValueSource(copyFrom)}`
  return [...new Set(registries.map(({ credential }) => describeCredential(credential)))].join(', ')
}

function describeCredential ({ basic, azure }: Credential): string {
  if (basic !== undefined) return `basic from ${describeValueSource(basic.passwordFrom)}`
  return azure === undefined ? 'unknown' : `azure ${azure.identity}`
}

function describeValueSource ({ secret, file }: Pick<ValueSource, 'file'> & { secret?: { namespace: string, name: string } }): string {
  return secret === undefined ? `file ${file}` : `Secret ${formatObjectKey(secret)}`
}
