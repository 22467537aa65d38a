import { isOlderVersion, type Secret } from '../core/kube-object.ts'
import { observeSecret, type ObservedCopy } from '../core/managed-secret.ts'

/** What is known of the Secrets of one name, in all namespaces. */
export interface CopyCache {
  get: (namespace: string) => ObservedCopy | undefined
  entries: () => IterableIterator<[namespace: string, copy: ObservedCopy]>
  /** The Secret in the worker's own namespace, whole: the last good content, and annotations that people write. */
  canonical: () => Secret | undefined
  /** Takes a list's result; `scope` names the namespace that was listed, absent for all. */
  replace: (secrets: Secret[], resourceVersion: string, scope?: string) => void
  /** Takes an event; an older version never replaces a newer one. */
  upsert: (secret: Secret) => void
  /** Takes the answer to a write, unless the watch has told of later things already. */
  keepAnswer: (secret: Secret) => void
  remove: (secret: Pick<Secret, 'metadata'>) => void
}

/** Makes an empty cache; `onChange` is told of every namespace whose Secret became another one. */
export function createCopyCache (ownNamespace: string, onChange: (namespace: string) => void): CopyCache {
  const copies = new Map<string, ObservedCopy>()
  let canonical: Secret | undefined
  let newestEvent = ''

  function noteEvent (resourceVersion: string): void {
    if (isOlderVersion(newestEvent, resourceVersion)) newestEvent = resourceVersion
  }

  function take (secret: Secret): void {
    const { namespace = '', resourceVersion } = secret.metadata
    const known = copies.get(namespace)
    if (known !== undefined && !isOlderVersion(known.resourceVersion, resourceVersion)) return
    copies.set(namespace, observeSecret(secret))
    if (namespace === ownNamespace) canonical = secret
    onChange(namespace)
  }

  function drop (namespace: string): void {
    if (!copies.delete(namespace)) return
    if (namespace === ownNamespace) canonical = undefined
    onChange(namespace)
  }

  return {
    get: (namespace) => copies.get(namespace),
    entries: () => copies.entries(),
    canonical: () => canonical,
    upsert (secret) {
      noteEvent(secret.metadata.resourceVersion)
      take(secret)
    },
    keepAnswer (secret) {
      if (isOlderVersion(newestEvent, secret.metadata.resourceVersion)) take(secret)
    },
    remove ({ metadata: { namespace = '', uid, resourceVersion } }) {
      noteEvent(resourceVersion)
      const known = copies.get(namespace)
      // An event that comes late must not take away what was made anew.
      if (known !== undefined && (known.uid === uid || isOlderVersion(known.resourceVersion, resourceVersion))) drop(namespace)
    },
    replace (secrets, resourceVersion, scope) {
      noteEvent(resourceVersion)
      const listed = new Set(secrets.map(({ metadata }) => metadata.namespace))
      for (const [namespace, known] of copies) {
        const isInScope = scope === undefined || namespace === scope
        if (isInScope && !listed.has(namespace) && !isOlderVersion(resourceVersion, known.resourceVersion)) drop(namespace)
      }
      for (const secret of secrets) take(secret)
    }
  }
}
