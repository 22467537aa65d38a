import { compileGlob, matchesGlob, type Glob } from './glob.ts'
import type { NamespaceFilter } from './pull-secret-config.ts'

/** Namespaces of Kubernetes itself: none counts unless a rule's `include` names it literally. */
export const RESERVED_NAMESPACES = ['kube-system', 'kube-public', 'kube-node-lease'] as const

/** Where pullkeeper runs unless `POD_NAMESPACE` says otherwise. */
export const DEFAULT_OWN_NAMESPACE = 'pullkeeper-system'

/** Whether a rule is for a namespace, judged by the name alone, and if not why. */
export type NamespaceVerdict = 'included' | 'not-included' | 'excluded' | 'reserved'

/** A namespace filter ready to match names. */
export interface NamespaceMatcher {
  judge: (namespace: string) => NamespaceVerdict
}

/** Compiles `include` and `exclude`; the selector is the API server's business (or the caller's, who knows the labels). */
export function compileNamespaceMatcher (filter: NamespaceFilter, ownNamespace: string): NamespaceMatcher {
  const include = filter.include.map(compileGlob)
  const exclude = filter.exclude.map(compileGlob)
  const literal = new Set(filter.include)
  return {
    judge (namespace) {
      if (matchesAny(exclude, namespace)) return 'excluded'
      if (isReservedNamespace(namespace, ownNamespace) && !literal.has(namespace)) return 'reserved'
      return matchesAny(include, namespace) ? 'included' : 'not-included'
    }
  }
}

/** Kubernetes' own namespaces and pullkeeper's. */
export function isReservedNamespace (namespace: string, ownNamespace: string): boolean {
  return namespace === ownNamespace || RESERVED_NAMESPACES.some((reserved) => reserved === namespace)
}

function matchesAny (globs: Glob[], namespace: string): boolean {
  return globs.some((glob) => matchesGlob(glob, namespace))
}
