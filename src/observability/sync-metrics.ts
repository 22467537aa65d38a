import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Every metric of the sync worker, in one place; names follow the Prometheus conventions (base units, `_total`). */
export interface SyncMetrics {
  registry: Registry
  copies: Gauge<'secret' | 'state'>
  desired: Gauge<'secret'>
  writes: Counter<'secret' | 'operation' | 'result'>
  namespaceDelaySeconds: Histogram
  sourceProblems: Gauge<'secret' | 'reason'>
  verified: Gauge<'secret' | 'verdict'>
  credentialExpirySeconds: Gauge<'secret'>
  removalsHeld: Gauge<'secret'>
  forgottenNames: Gauge
  viewAgeSeconds: Gauge<'view'>
  viewFresh: Gauge<'view'>
  watchFailures: Counter<'view' | 'reason'>
  leader: Gauge
  queueLength: Gauge
  serviceAccountWrites: Counter<'result'>
  eventsDropped: Counter
  configReloads: Counter<'result'>
  configValid: Gauge
  configInfo: Gauge<'hash'>
}

/** From two milliseconds, a namespace that is served at once, to a minute. */
const DELAY_BUCKETS_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60]

/** Registers the sync worker's metrics in a registry of their own. */
export function createSyncMetrics (): SyncMetrics {
  const registry = new Registry()
  const counter = <T extends string>(name: string, help: string, labelNames: T[] = []) => new Counter({ name, help, labelNames, registers: [registry] })
  const gauge = <T extends string>(name: string, help: string, labelNames: T[] = []) => new Gauge({ name, help, labelNames, registers: [registry] })
  return {
    registry,
    copies: gauge('pullkeeper_sync_copies', 'Copies of a pull secret by how they stand', ['secret', 'state']),
    desired: gauge('pullkeeper_sync_desired_copies', 'Copies of a pull secret that there should be, the canonical one included', ['secret']),
    writes: counter('pullkeeper_sync_writes_total', 'Writes of Secrets, by operation and result', ['secret', 'operation', 'result']),
    namespaceDelaySeconds: new Histogram({
      name: 'pullkeeper_sync_namespace_delay_seconds',
      help: 'Time from the moment a new namespace is seen to the moment its Secret is written, in seconds',
      buckets: DELAY_BUCKETS_SECONDS,
      registers: [registry]
    }),
    sourceProblems: gauge('pullkeeper_sync_source_problems', 'Parts of a pull secret that are old or missing because of their source', ['secret', 'reason']),
    verified: gauge('pullkeeper_sync_credential_verified', '1 for what the registries say of the published credentials', ['secret', 'verdict']),
    credentialExpirySeconds: gauge('pullkeeper_sync_credential_expiry_timestamp_seconds', 'When the first of a pull secret\'s credentials ends, in seconds since 1970', ['secret']),
    removalsHeld: gauge('pullkeeper_sync_removals_held', 'Copies whose removal waits for a person', ['secret']),
    forgottenNames: gauge('pullkeeper_sync_forgotten_names', 'Names that left the configuration without standing in retired'),
    viewAgeSeconds: gauge('pullkeeper_sync_view_age_seconds', 'Time since the API server was last heard of, by watched collection', ['view']),
    viewFresh: gauge('pullkeeper_sync_view_fresh', '1 while a watched collection can be trusted', ['view']),
    watchFailures: counter('pullkeeper_sync_watch_failures_total', 'Lists and watches that failed', ['view', 'reason']),
    leader: gauge('pullkeeper_sync_leader', '1 while this process leads'),
    queueLength: gauge('pullkeeper_sync_queue_length', 'Copies that wait for their turn'),
    serviceAccountWrites: counter('pullkeeper_sync_service_account_writes_total', 'Patches of ServiceAccounts', ['result']),
    eventsDropped: counter('pullkeeper_sync_events_dropped_total', 'Events that were not written, because there were too many or the API server refused them'),
    configReloads: counter('pullkeeper_config_reloads_total', 'Changes of the configuration file, by result', ['result']),
    configValid: gauge('pullkeeper_config_valid', '1 when the configuration file is the configuration in force, 0 when it is refused'),
    configInfo: gauge('pullkeeper_config_info', 'SHA-256 of the configuration file in force', ['hash'])
  }
}
