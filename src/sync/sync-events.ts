import type { CopyVerdict } from '../core/copy-reconciliation.ts'
import type { SourceError } from '../core/credential-source.ts'
import { ALLOW_REMOVAL_ANNOTATION, type ObservedCopy } from '../core/managed-secret.ts'
import type { RemovalCounts } from '../core/removal-guard.ts'
import { formatRemovalApproval } from '../core/removal-guard.ts'
import type { EventRecorder } from '../kubernetes/event-recorder.ts'

/** Tells people by Events what is wrong with copies and sources, beside the object that it is about. */
export interface SyncEvents {
  /** Returns false when there was something to say that could not be said now. */
  reportCopy: (namespace: string, name: string, observed: ObservedCopy, verdict: CopyVerdict) => boolean
  /** A write that was refused; `description` holds nothing of what was written. */
  reportWriteFailure: (namespace: string, name: string, description: string) => void
  reportSource: (name: string, problem: SourceError) => void
  reportHeldRemoval: (name: string, counts: RemovalCounts, configHash: string) => void
}

/** Makes the reporter; what was said of one copy is not said again while it stands as it does. */
export function createSyncEvents (recorder: Pick<EventRecorder, 'record'>, ownNamespace: string): SyncEvents {
  const reported = new Map<string, string>()

  function recordOn (namespace: string, name: string, reason: string, message: string, uid?: string): boolean {
    return recorder.record({ type: 'Warning', reason, message, object: { apiVersion: 'v1', kind: 'Secret', namespace, name, ...(uid !== undefined && { uid }) } })
  }

  /** Says what has not been said of this copy in this state; what could not be said now is not noted as said. */
  function sayOnce (key: string, what: string, say: () => boolean): boolean {
    if (reported.get(key) === what) return true
    const isSaid = say()
    if (isSaid) reported.set(key, what)
    return isSaid
  }

  function reportConflict (namespace: string, name: string, { uid }: ObservedCopy): boolean {
    return sayOnce(`conflict ${namespace}/${name}`, uid, () => recordOn(namespace, name, 'PullSecretConflict', 'a Secret of this name that is not pullkeeper\'s stands here, so the pull secret is not written; remove or rename it, or set onConflict: adopt or overwrite', uid))
  }

  function reportForeignKeys (namespace: string, name: string, { uid, foreignKeys }: ObservedCopy): boolean {
    return sayOnce(`keys ${namespace}/${name}`, `${uid} ${foreignKeys.join()}`, () => recordOn(namespace, name, 'ForeignKeys', `this pull secret holds ${foreignKeys.length === 1 ? 'a key' : 'keys'} that pullkeeper did not write; what it does not own is left alone`, uid))
  }

  return {
    reportCopy (namespace, name, observed, { state }) {
      if (state === 'conflicting') return reportConflict(namespace, name, observed)
      return !observed.isOwned || observed.foreignKeys.length === 0 || reportForeignKeys(namespace, name, observed)
    },
    reportWriteFailure (namespace, name, description) {
      recordOn(namespace, name, 'WriteFailed', `the pull secret can not be written: ${description}`)
    },
    reportSource (name, { reason, message, source }) {
      const { namespace = ownNamespace, name: secret = name } = source ?? {}
      recordOn(namespace, secret, reason, `pull secret ${name}: ${message}`)
    },
    reportHeldRemoval (name, { copies, unwanted }, configHash) {
      const approval = `${ALLOW_REMOVAL_ANNOTATION}=${formatRemovalApproval(configHash)}`
      recordOn(ownNamespace, name, 'RemovalHeld', `the configuration would remove ${unwanted} of ${copies} copies; if that is meant: kubectl annotate secret -n ${ownNamespace} ${name} ${approval} --overwrite`)
    }
  }
}
