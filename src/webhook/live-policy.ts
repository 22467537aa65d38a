import { readFile } from 'node:fs/promises'
import { watchMountedFiles, type MountedFiles } from '../config/mounted-files.ts'
import { formatProblem, parseConfig, type ConfigReport } from '../config/parse-config.ts'
import { compilePolicy, type Policy } from '../core/policy.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import type { WebhookMetrics } from '../observability/webhook-metrics.ts'
import type { ReloadIntervals } from './live-key-pair.ts'

/** Which file is followed, and who is told. */
export interface LivePolicyOptions {
  file: string
  ownNamespace: string
  metrics: Pick<WebhookMetrics, 'configReloads' | 'configValid' | 'configInfo'>
  log: ProcessLog
  intervals?: ReloadIntervals
  /** Told of each policy that comes into force after the first. */
  onPolicy?: (policy: Policy) => void
}

/** A policy that follows its configuration file. */
export interface LivePolicy extends Pick<MountedFiles, 'check' | 'close'> {
  current: () => Policy
}

/** A configuration file that can not be used; the message lists every problem, one a line. */
export class InvalidConfigError extends Error {
  override name = 'InvalidConfigError'
}

/** Loads a configuration file and follows its changes. A bad first file throws; a bad later one leaves the old in force. */
export async function openLivePolicy (options: LivePolicyOptions): Promise<LivePolicy> {
  const { file, metrics, log } = options
  const content = await readFile(file)
  let policy = compile(content, options)
  reportInForce(policy, options)

  function replace (changed: Buffer): void {
    try {
      policy = compile(changed, options)
      metrics.configReloads.inc({ result: 'success' })
      reportInForce(policy, options)
      options.onPolicy?.(policy)
    } catch (error) {
      keepOld(error as Error)
    }
  }

  function keepOld (error: Error): void {
    metrics.configReloads.inc({ result: 'failure' })
    metrics.configValid.set(0)
    log.error({ err: error, file, config: policy.configHash }, 'the new configuration is refused, the old one stays in force')
  }

  const files = watchMountedFiles([file], [content], {
    ...options.intervals,
    onChange: ([changed]) => { if (changed !== undefined) replace(changed) },
    onError: keepOld
  })
  return { current: () => policy, check: files.check, close: files.close }
}

function compile (content: Buffer, { file, ownNamespace, log }: LivePolicyOptions): Policy {
  const report = parseConfig(content, file)
  if (report.config === undefined) throw new InvalidConfigError(formatProblems(report, 'error').join('\n'))
  for (const warning of formatProblems(report, 'warning')) log.warn({ file }, warning)
  return compilePolicy(report.config, { configHash: report.hash, ownNamespace })
}

function reportInForce (policy: Policy, { file, metrics, log }: LivePolicyOptions): void {
  metrics.configValid.set(1)
  metrics.configInfo.reset()
  metrics.configInfo.set({ hash: policy.configHash }, 1)
  log.info({ file, config: policy.configHash, rules: policy.config.rules.length, entries: policy.entries.size }, 'configuration in force')
}

function formatProblems ({ file, problems }: ConfigReport, severity: 'error' | 'warning'): string[] {
  return problems.filter((problem) => problem.severity === severity).map((problem) => formatProblem(file, problem))
}
