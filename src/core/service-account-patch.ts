import type { ServiceAccount } from './kube-object.ts'

/** One operation of a JSON Patch (RFC 6902). */
export interface PatchOperation {
  op: 'test' | 'add' | 'replace' | 'remove'
  path: string
  value?: unknown
}

/** What is to be changed about a ServiceAccount's pull secrets. */
export interface ServiceAccountDemand {
  /** Pull secrets that it is to list. */
  wanted: ReadonlySet<string>
  /** Pull secrets that it need not list any longer. */
  unwanted: ReadonlySet<string>
}

/** On a ServiceAccount: the pull secrets that we appended, joined by commas; only these are removed again. */
export const ADDED_ANNOTATION = 'pullkeeper.dev/added'

const ADDED_PATH = `/metadata/annotations/${ADDED_ANNOTATION.replace('/', '~1')}`

/** The pull secrets that the annotation says we appended. */
export function readAdded ({ metadata }: Pick<ServiceAccount, 'metadata'>): string[] {
  return (metadata.annotations?.[ADDED_ANNOTATION] ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '')
}

/**
 * The patch that appends what is wanted and missing, and takes away what we appended and nobody wants; undefined when there is
 * nothing to do. It holds for the version that was seen only (its first operation tests that), so that what someone else
 * writes meanwhile is neither lost nor listed twice.
 */
export function createServiceAccountPatch (account: ServiceAccount, { wanted, unwanted }: ServiceAccountDemand): PatchOperation[] | undefined {
  const listed = account.imagePullSecrets ?? []
  const added = readAdded(account)
  const missing = [...wanted].filter((name) => !listed.some((secret) => secret.name === name))
  const leaving = added.filter((name) => unwanted.has(name) && !wanted.has(name))
  if (missing.length === 0 && leaving.length === 0) return undefined
  const secrets = [...listed.filter(({ name = '' }) => !leaving.includes(name)), ...missing.map((name) => ({ name }))]
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: account.metadata.resourceVersion },
    { op: 'add', path: '/imagePullSecrets', value: secrets },
    ...annotate(account, [...new Set([...added.filter((name) => !leaving.includes(name)), ...missing])])
  ]
}

function annotate ({ metadata }: ServiceAccount, added: string[]): PatchOperation[] {
  if (added.length === 0) return [{ op: 'remove', path: ADDED_PATH }]
  const value = added.join()
  if (metadata.annotations === undefined) return [{ op: 'add', path: '/metadata/annotations', value: { [ADDED_ANNOTATION]: value } }]
  return [{ op: 'add', path: ADDED_PATH, value }]
}
