import { formatObjectKey, isOlderVersion, type KubeObject, type Namespace, type Secret, type ServiceAccount } from '../core/kube-object.ts'
import type { SecretReference } from '../core/pull-secret-config.ts'
import type { Clock } from '../core/clock.ts'
import { createCopyCache, type CopyCache } from './copy-cache.ts'
import { createNamespaceCache, type KnownNamespace, type NamespaceCache } from './namespace-cache.ts'
import { listWatchedNames, type SyncPlan } from './sync-plan.ts'
import { createWatchedCollections, type Collection, type ViewState, type WatchedCollectionsEvents, type WatchSettings } from './watched-collections.ts'

/** What is told of changes; the functions only enqueue. */
export interface ClusterViewEvents extends WatchedCollectionsEvents {
  onNamespace: (name: string, namespace: KnownNamespace) => void
  onCopy: (name: string, namespace: string) => void
  onSource: (source: SecretReference) => void
  onServiceAccount: (account: ServiceAccount) => void
}

/** How a view reaches the cluster. */
export interface ClusterViewOptions extends WatchSettings {
  clock: Clock
  ownNamespace: string
  /** The only namespaces to look at, for a worker that may not watch Namespaces; absent = all. */
  listNamespaces?: ((plan: SyncPlan) => string[]) | undefined
  events: ClusterViewEvents
}

/** What the worker sees of the cluster: namespaces, the Secrets of managed names, the sources and, if asked for, ServiceAccounts. */
export interface ClusterView {
  namespaces: NamespaceCache
  /** Undefined for a name that is not watched. */
  copies: (name: string) => CopyCache | undefined
  /** Undefined when it is not there. */
  source: (source: SecretReference) => Secret | undefined
  serviceAccounts: () => IterableIterator<ServiceAccount>
  serviceAccount: (key: string) => ServiceAccount | undefined
  /** Takes the answer to a write, which the watch shows a moment later. */
  keepServiceAccount: (account: ServiceAccount) => void
  /** Whether a view has been listed, and is not refused. */
  isReady: (view: string) => boolean
  isForbidden: (view: string) => boolean
  /** Whether a view is watched, and was heard of lately. */
  isFresh: (view: string) => boolean
  states: () => ViewState[]
  /** Forgets the sources until `follow` lists them anew: a new leader must not spread what its watch saw last, if that had gone silent. */
  forgetSources: () => void
  /** Begins to watch what a plan needs, and ceases to watch what it does not. */
  follow: (plan: SyncPlan) => Promise<void>
  close: () => Promise<void>
}

/** The view of all namespaces. */
export const NAMESPACES_VIEW = 'namespaces'
/** The view of all ServiceAccounts. */
export const SERVICE_ACCOUNTS_VIEW = 'serviceaccounts'

const SOURCE_PREFIX = 'source '

/** The view of the Secrets of one name. */
export function formatCopiesView (name: string): string {
  return `secrets ${name}`
}

/** The view of one source. */
export function formatSourceView (source: SecretReference): string {
  return SOURCE_PREFIX + formatObjectKey(source)
}

/** Makes a view that watches nothing yet. */
export function createClusterView (options: ClusterViewOptions): ClusterView {
  const { clock, ownNamespace, events, listNamespaces } = options
  const collections = createWatchedCollections(options, events)
  const caches = new Map<string, CopyCache>()
  const sources = new Map<string, Secret>()
  const accounts = new Map<string, ServiceAccount>()
  let lastScopes: string | undefined
  const namespaces = createNamespaceCache(() => clock.monotonicMs(), events.onNamespace)

  function openNamespaces (scopes: string[] | undefined): void {
    if (scopes !== undefined) namespaces.replace(scopes.map(assumeNamespace))
    else if (!collections.has(NAMESPACES_VIEW)) collections.open<Namespace>(NAMESPACES_VIEW, [{ path: '/api/v1/namespaces', handler: namespaces }])
  }

  function openCopies (name: string, scopes: string[] | undefined): void {
    const cache = createCopyCache(ownNamespace, (namespace) => { events.onCopy(name, namespace) })
    caches.set(name, cache)
    const query = { fieldSelector: `metadata.name=${name}` }
    collections.open<Secret>(formatCopiesView(name), listCollections('secrets', scopes, (scope) => ({
      query, handler: { ...cache, replace: (secrets, version) => { cache.replace(secrets, version, scope) } }
    })))
  }

  function openSource (source: SecretReference): void {
    const key = formatObjectKey(source)
    const path = `/api/v1/namespaces/${source.namespace}/secrets`
    const set = (secret: Secret | undefined): void => {
      if (secret === undefined) sources.delete(key)
      else sources.set(key, secret)
      events.onSource(source)
    }
    collections.open<Secret>(formatSourceView(source), [{
      path, query: { fieldSelector: `metadata.name=${source.name}` }, isConsistent: true, handler: { replace: ([secret]) => { set(secret) }, upsert: set, remove: () => { set(undefined) } }
    }])
  }

  /** An older version never replaces a newer one; returns whether this one is kept. */
  function keepServiceAccount (account: ServiceAccount): boolean {
    const key = formatObjectKey(account.metadata)
    const known = accounts.get(key)
    if (known?.metadata.uid === account.metadata.uid && isOlderVersion(account.metadata.resourceVersion, known.metadata.resourceVersion)) return false
    accounts.set(key, account)
    return true
  }

  function openServiceAccounts (scopes: string[] | undefined): void {
    const upsert = (account: ServiceAccount): void => {
      if (keepServiceAccount(account)) events.onServiceAccount(account)
    }
    collections.open<ServiceAccount>(SERVICE_ACCOUNTS_VIEW, listCollections('serviceaccounts', scopes, (scope) => ({
      handler: {
        upsert,
        remove: ({ metadata }) => { accounts.delete(formatObjectKey(metadata)) },
        replace (listed) {
          for (const [key, { metadata }] of accounts) if (scope === undefined || metadata.namespace === scope) accounts.delete(key)
          listed.forEach(upsert)
        }
      }
    })))
  }

  async function follow (plan: SyncPlan): Promise<void> {
    const scopes = listNamespaces?.(plan)
    namespaces.setDemand(plan.demand)
    openNamespaces(scopes)
    const names = listWatchedNames(plan)
    // Once watched, they are watched on: what was listed in them is yet to be taken away.
    const hasAccounts = collections.has(SERVICE_ACCOUNTS_VIEW) || needsServiceAccounts(plan)
    const views = [...listViews(plan), SERVICE_ACCOUNTS_VIEW]
    await collections.keepOnly(new Set(lastScopes === scopes?.join() ? views : []))
    lastScopes = scopes?.join()
    for (const name of names) if (!collections.has(formatCopiesView(name))) openCopies(name, scopes)
    for (const source of plan.sources) if (!collections.has(formatSourceView(source))) openSource(source)
    // The own namespace is looked at for its copies; its ServiceAccounts only if a rule names it, as the rights are given.
    const isOwnWanted = plan.demand({ name: ownNamespace, labels: {} }).size > 0
    if (hasAccounts && !collections.has(SERVICE_ACCOUNTS_VIEW)) openServiceAccounts(scopes?.filter((scope) => scope !== ownNamespace || isOwnWanted))
    for (const name of caches.keys()) if (!names.includes(name)) caches.delete(name)
  }

  function forgetSources (): void {
    const others = collections.states().map(({ view }) => view).filter((view) => !view.startsWith(SOURCE_PREFIX))
    void collections.keepOnly(new Set(others))
    sources.clear()
  }

  return {
    namespaces,
    copies: (name) => caches.get(name),
    source: (source) => sources.get(formatObjectKey(source)),
    serviceAccounts: () => accounts.values(),
    serviceAccount: (key) => accounts.get(key),
    keepServiceAccount,
    isReady: (view) => collections.isReady(view) || (view === NAMESPACES_VIEW && listNamespaces !== undefined),
    isForbidden: collections.isForbidden,
    isFresh: (view) => collections.isFresh(view) || (view === NAMESPACES_VIEW && listNamespaces !== undefined),
    states: collections.states,
    follow,
    forgetSources,
    close: async () => { await collections.keepOnly(new Set()) }
  }
}

/** The views that a plan needs. */
export function listViews (plan: SyncPlan): string[] {
  const views = [NAMESPACES_VIEW, ...listWatchedNames(plan).map(formatCopiesView), ...plan.sources.map(formatSourceView)]
  return needsServiceAccounts(plan) ? [...views, SERVICE_ACCOUNTS_VIEW] : views
}

function needsServiceAccounts ({ config }: SyncPlan): boolean {
  return config.pullSecrets.some(({ serviceAccounts }) => serviceAccounts.length > 0)
}

/** One collection over all namespaces, or one in each of those that the worker may look at. */
function listCollections<T extends KubeObject> (plural: string, scopes: string[] | undefined, describe: (scope?: string) => Omit<Collection<T>, 'path'>): Collection<T>[] {
  if (scopes === undefined) return [{ path: `/api/v1/${plural}`, ...describe() }]
  return scopes.map((scope) => ({ path: `/api/v1/namespaces/${scope}/${plural}`, ...describe(scope) }))
}

/** Without a view of Namespaces a name is all that is known of one. */
function assumeNamespace (name: string): Namespace {
  return { metadata: { name, uid: '', resourceVersion: '' } }
}
