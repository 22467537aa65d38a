import { formatObjectKey, type ServiceAccount } from '../core/kube-object.ts'
import type { PullSecret, SecretReference } from '../core/pull-secret-config.ts'
import { formatCopiesView, formatSourceView, NAMESPACES_VIEW, SERVICE_ACCOUNTS_VIEW, type ClusterView } from './cluster-view.ts'
import { listSourceFiles } from './mounted-sources.ts'
import type { KnownNamespace } from './namespace-cache.ts'
import { listSourceKeys, listWatchedNames, type SyncPlan } from './sync-plan.ts'
import type { SyncQueue } from './sync-queues.ts'

/** Turns what was seen into keys to work on; it only enqueues. */
export interface SyncTriggers {
  onNamespace: (namespace: string, known: KnownNamespace) => void
  onCopy: (name: string, namespace: string) => void
  onSource: (source: SecretReference) => void
  onFile: (file: string) => void
  onServiceAccount: (account: ServiceAccount) => void
  /** A view shows its collection, or it became known that it will not. */
  onView: (view: string) => void
  /** Everything that holds a copy of a pull secret, or wants one. */
  enqueueCopies: (name: string) => void
  enqueueEverything: () => void
}

/** What triggers look up. */
export interface SyncTriggersOptions {
  plan: () => SyncPlan
  view: () => ClusterView
  /** Whether removals of a pull secret's copies wait for the canonical copy's annotation. */
  isHeld: (name: string) => boolean
  /** Whether a copy, or the lack of one, was judged: where it is wanted no longer, it is judged once more. */
  isJudged?: (namespace: string, name: string) => boolean
  add: (queue: SyncQueue, key: string) => void
}

/** Makes the triggers. */
export function createSyncTriggers ({ plan, view, isHeld, isJudged = () => false, add }: SyncTriggersOptions): SyncTriggers {
  function enqueue (namespace: string, name: string): void {
    add('copy', formatObjectKey({ namespace, name }))
  }

  function concerns (namespace: string, { wanted }: KnownNamespace, name: string): boolean {
    return wanted.has(name) || view().copies(name)?.get(namespace) !== undefined || isJudged(namespace, name)
  }

  function onNamespace (namespace: string, known: KnownNamespace): void {
    for (const name of listWatchedNames(plan())) if (concerns(namespace, known, name)) enqueue(namespace, name)
    enqueueServiceAccounts(namespace)
  }

  function onCopy (name: string, namespace: string): void {
    const { ownNamespace, retired } = plan()
    enqueue(namespace, name)
    if (namespace === ownNamespace && isHeld(name)) enqueueCopies(name)
    // The canonical copy of a retired name goes when no other is left.
    if (namespace !== ownNamespace && retired.has(name)) enqueue(ownNamespace, name)
  }

  function onSource (source: SecretReference): void {
    const key = formatObjectKey(source)
    resolveWhere((pullSecret) => listSourceKeys(pullSecret).includes(key))
    if (view().copies(source.name) !== undefined) enqueue(source.namespace, source.name)
  }

  function onFile (file: string): void {
    resolveWhere((pullSecret) => listSourceFiles({ pullSecrets: [pullSecret] }).includes(file))
  }

  function resolveWhere (needs: (pullSecret: PullSecret) => boolean): void {
    for (const pullSecret of plan().pullSecrets.values()) if (needs(pullSecret)) add('content', pullSecret.name)
  }

  function onServiceAccount ({ metadata }: ServiceAccount): void {
    add('serviceAccount', formatObjectKey(metadata))
  }

  function enqueueServiceAccounts (namespace?: string): void {
    for (const account of view().serviceAccounts()) if (namespace === undefined || account.metadata.namespace === namespace) onServiceAccount(account)
  }

  function onView (id: string): void {
    if (id === NAMESPACES_VIEW) enqueueEverything()
    if (id === SERVICE_ACCOUNTS_VIEW) enqueueServiceAccounts()
    for (const name of listWatchedNames(plan())) if (id === formatCopiesView(name)) enqueueSecret(name)
    for (const source of plan().sources) if (id === formatSourceView(source)) onSource(source)
  }

  /** The canonical copy first: it is what the next leader knows. */
  function enqueueCopies (name: string): void {
    enqueue(plan().ownNamespace, name)
    for (const [namespace, known] of view().namespaces.entries()) if (concerns(namespace, known, name)) enqueue(namespace, name)
  }

  function enqueueSecret (name: string): void {
    if (plan().pullSecrets.has(name)) add('content', name)
    enqueueCopies(name)
  }

  function enqueueEverything (): void {
    for (const name of listWatchedNames(plan())) enqueueSecret(name)
    enqueueServiceAccounts()
  }

  return { onNamespace, onCopy, onSource, onFile, onServiceAccount, onView, enqueueCopies, enqueueEverything }
}
