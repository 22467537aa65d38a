import { hasStatus, KubeError } from './kube-error.ts'
import type { KubeLog } from './kube-log.ts'

/** Says once what goes wrong again and again, and that it is over. */
export interface LeaseProblemLog {
  report: (error: unknown) => void
  clear: () => void
}

/** Makes a log of the troubles with one Lease; `lease` is `namespace/name`. */
export function createLeaseProblemLog (log: KubeLog, lease: string): LeaseProblemLog {
  let last: string | undefined
  return {
    report (error) {
      const kind = error instanceof KubeError ? error.reason : String(error)
      if (kind !== last) log.warn({ err: error, lease }, describeProblem(error))
      last = kind
    },
    clear () {
      if (last !== undefined) log.info({ lease }, 'the Lease can be read and written again')
      last = undefined
    }
  }
}

function describeProblem (error: unknown): string {
  return hasStatus(error, 403)
    ? 'the rights to the Lease are missing: apply what "pullkeeper manifests --only rbac" prints for this configuration'
    : 'the Lease can not be read or written; it is tried again'
}
