import { readFile } from 'node:fs/promises'
import { watchMountedFiles, type MountedFiles, type MountedFilesOptions } from '../config/mounted-files.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import type { WebhookMetrics } from '../observability/webhook-metrics.ts'
import { parseKeyPair, type ServingKeyPair } from '../tls/key-pair.ts'

/** How often mounted files are looked at; tests shorten it. */
export type ReloadIntervals = Pick<MountedFilesOptions, 'debounceMs' | 'pollMs'>

/** Which files are followed, and who is told. */
export interface LiveKeyPairOptions {
  certificateFile: string
  privateKeyFile: string
  metrics: Pick<WebhookMetrics, 'certificateReloads' | 'certificateValid' | 'certificateExpirySeconds'>
  log: ProcessLog
  intervals?: ReloadIntervals
  /** Told of each pair that comes into force after the first. */
  onKeyPair: (keyPair: ServingKeyPair) => void
}

/** A serving certificate that follows its files. */
export interface LiveKeyPair extends Pick<MountedFiles, 'check' | 'close'> {
  current: () => ServingKeyPair
}

/** Loads a TLS pair and follows its files. A bad first pair throws; a bad later one leaves the old in use. */
export async function openLiveKeyPair (options: LiveKeyPairOptions): Promise<LiveKeyPair> {
  const { certificateFile, privateKeyFile, metrics, log } = options
  const contents = await Promise.all([readFile(certificateFile), readFile(privateKeyFile)])
  let keyPair = parse(contents)
  reportInUse(keyPair, options)

  function replace (changed: Buffer[]): void {
    try {
      keyPair = parse(changed)
      options.onKeyPair(keyPair)
      metrics.certificateReloads.inc({ result: 'success' })
      reportInUse(keyPair, options)
    } catch (error) {
      keepOld(error as Error)
    }
  }

  function keepOld (error: Error): void {
    metrics.certificateReloads.inc({ result: 'failure' })
    metrics.certificateValid.set(0)
    log.error({ err: error, file: certificateFile }, 'the new serving certificate is refused, the old one stays in use')
  }

  const files = watchMountedFiles([certificateFile, privateKeyFile], contents, { ...options.intervals, onChange: replace, onError: keepOld })
  return { current: () => keyPair, check: files.check, close: files.close }
}

function parse ([certificate, privateKey]: Buffer[]): ServingKeyPair {
  return parseKeyPair(String(certificate), String(privateKey))
}

function reportInUse ({ notAfter, fingerprint256 }: ServingKeyPair, { certificateFile, metrics, log }: LiveKeyPairOptions): void {
  metrics.certificateValid.set(1)
  metrics.certificateExpirySeconds.set(notAfter.getTime() / 1000)
  log.info({ file: certificateFile, notAfter: notAfter.toISOString(), fingerprint256 }, 'serving certificate in use')
}
