import { readFile } from 'node:fs/promises'
import type { PullSecretConfig } from '../core/pull-secret-config.ts'
import { watchMountedFiles, type MountedFiles } from './mounted-files.ts'
import { formatProblem, parseConfig, type ConfigReport } from './parse-config.ts'

/** A configuration that can be used, and what its file was. */
export interface ValidConfig {
  config: PullSecretConfig
  /** SHA-256 of the file, lower-case hex. */
  hash: string
  /** What its author should know, one line each. */
  warnings: string[]
}

/** Which file is followed, and who is told. */
export interface LiveConfigOptions {
  file: string
  intervals?: { debounceMs?: number, pollMs?: number }
  /** Told of each configuration that comes into force after the first; what it throws refuses the configuration. */
  onConfig: (changed: ValidConfig) => void
  /** Told why a changed file is not used; the old configuration stays in force. */
  onRefused: (error: Error) => void
}

/** A configuration that follows its file. */
export interface LiveConfig extends Pick<MountedFiles, 'check' | 'close'> {
  current: () => ValidConfig
}

/** A configuration file that can not be used; the message lists every problem, one a line. */
export class InvalidConfigError extends Error {
  override name = 'InvalidConfigError'
}

/** Loads a configuration file and follows its changes. A bad first file throws; a bad later one leaves the old in force. */
export async function openLiveConfig ({ file, intervals, onConfig, onRefused }: LiveConfigOptions): Promise<LiveConfig> {
  const content = await readFile(file)
  let current = requireValid(content, file)
  const files = watchMountedFiles([file], [content], {
    ...intervals,
    onChange ([changed]) {
      if (changed === undefined) return
      try {
        const valid = requireValid(changed, file)
        onConfig(valid)
        current = valid
      } catch (error) {
        onRefused(error as Error)
      }
    },
    onError: onRefused
  })
  return { current: () => current, check: files.check, close: files.close }
}

/** Reads a configuration file once; throws an InvalidConfigError. */
export async function loadConfig (file: string): Promise<ValidConfig> {
  return requireValid(await readFile(file), file)
}

function requireValid (content: Buffer, file: string): ValidConfig {
  const report = parseConfig(content, file)
  if (report.config === undefined) throw new InvalidConfigError(formatProblems(report, 'error').join('\n'))
  return { config: report.config, hash: report.hash, warnings: formatProblems(report, 'warning') }
}

function formatProblems ({ file, problems }: ConfigReport, severity: 'error' | 'warning'): string[] {
  return problems.filter((problem) => problem.severity === severity).map((problem) => formatProblem(file, problem))
}
