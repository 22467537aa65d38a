import { openLiveConfig, type LiveConfig, type ValidConfig } from '../config/live-config.ts'
import { compilePolicy, type Policy } from '../core/policy.ts'
import { createConfigReporter, type ConfigMetrics, type ConfigReporter } from '../observability/config-reporter.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import type { ReloadIntervals } from './live-key-pair.ts'

/** Which file is followed, and who is told. */
export interface LivePolicyOptions {
  file: string
  ownNamespace: string
  metrics: ConfigMetrics
  log: ProcessLog
  intervals?: ReloadIntervals
  /** Told of each policy that comes into force after the first. */
  onPolicy?: (policy: Policy) => void
}

/** A policy that follows its configuration file. */
export interface LivePolicy extends Pick<LiveConfig, 'check' | 'close'> {
  current: () => Policy
}

/** Loads a configuration file and follows its changes. A bad first file throws; a bad later one leaves the old in force. */
export async function openLivePolicy (options: LivePolicyOptions): Promise<LivePolicy> {
  const { file, ownNamespace, metrics, log, intervals = {} } = options
  const reporter = createConfigReporter(file, metrics, log)
  const compile = ({ config, hash }: ValidConfig): Policy => compilePolicy(config, { configHash: hash, ownNamespace })
  const live = await openLiveConfig({
    file,
    intervals,
    onConfig (changed) {
      policy = compile(changed)
      reporter.reportReload()
      reportInForce(reporter, changed, policy)
      options.onPolicy?.(policy)
    },
    onRefused (error) { reporter.reportRefused(error, policy.configHash) }
  })
  let policy = compile(live.current())
  reportInForce(reporter, live.current(), policy)
  return { current: () => policy, check: live.check, close: live.close }
}

function reportInForce (reporter: ConfigReporter, configuration: ValidConfig, { config, entries }: Policy): void {
  reporter.reportInForce(configuration, { rules: config.rules.length, entries: entries.size })
}
