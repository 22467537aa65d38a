import type { Counter, Gauge } from 'prom-client'
import type { ProcessLog } from './process-log.ts'

/** The metrics of a configuration file, which every process that follows one has. */
export interface ConfigMetrics {
  configReloads: Counter<'result'>
  configValid: Gauge
  configInfo: Gauge<'hash'>
}

/** Tells by log and metrics which configuration is in force. */
export interface ConfigReporter {
  /** `facts` are what the process makes of the configuration, for the log. */
  reportInForce: (configuration: { hash: string, warnings: string[] }, facts: object) => void
  reportReload: () => void
  reportRefused: (error: Error, hashInForce: string) => void
}

/** Makes the reporter of one configuration file. */
export function createConfigReporter (file: string, metrics: ConfigMetrics, log: ProcessLog): ConfigReporter {
  return {
    reportInForce ({ hash, warnings }, facts) {
      for (const warning of warnings) log.warn({ file }, warning)
      metrics.configValid.set(1)
      metrics.configInfo.reset()
      metrics.configInfo.set({ hash }, 1)
      log.info({ file, config: hash, ...facts }, 'configuration in force')
    },
    reportReload () { metrics.configReloads.inc({ result: 'success' }) },
    reportRefused (error, hashInForce) {
      metrics.configReloads.inc({ result: 'failure' })
      metrics.configValid.set(0)
      log.error({ err: error, file, config: hashInForce }, 'the new configuration is refused, the old one stays in force')
    }
  }
}
