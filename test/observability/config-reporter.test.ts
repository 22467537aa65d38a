import t from 'tap'
import { createConfigReporter } from '../../src/observability/config-reporter.ts'
import { createProcessLog } from '../../src/observability/process-log.ts'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'

const FILE = '/etc/pullkeeper/config.yaml'
const [FIRST, SECOND] = ['ab'.repeat(32), 'cd'.repeat(32)]

const start = () => {
  const metrics = createSyncMetrics()
  const lines: string[] = []
  const log = createProcessLog('info', { write: (line: string) => { lines.push(line) } } as unknown as NodeJS.WritableStream)
  const shown = async () => {
    const [valid, info, reloads] = await Promise.all([metrics.configValid.get(), metrics.configInfo.get(), metrics.configReloads.get()])
    return {
      valid: valid.values.map(({ value }) => value),
      hashes: info.values.map(({ labels }) => labels.hash),
      reloads: Object.fromEntries(reloads.values.map(({ labels, value }) => [labels.result, value]))
    }
  }
  return { reporter: createConfigReporter(FILE, metrics, log), records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>), shown }
}

t.test('the configuration in force is told with its hash, its warnings and what the process makes of it', async (t) => {
  const { reporter, records, shown } = start()
  reporter.reportInForce({ hash: FIRST, warnings: ['careful', 'really'] }, { pullSecrets: 2 })
  t.strictSame(await shown(), { valid: [1], hashes: [FIRST], reloads: {} })
  t.match(records(), [{ msg: 'careful', file: FILE }, { msg: 'really' }, { msg: 'configuration in force', config: FIRST, pullSecrets: 2 }])
})

t.test('only one configuration is in force', async (t) => {
  const { reporter, shown } = start()
  reporter.reportInForce({ hash: FIRST, warnings: [] }, {})
  reporter.reportReload()
  reporter.reportInForce({ hash: SECOND, warnings: [] }, {})
  t.strictSame(await shown(), { valid: [1], hashes: [SECOND], reloads: { success: 1 } })
})

t.test('a refused one turns the gauge, counts, and is told beside the one that stays; the next good one turns it back', async (t) => {
  const { reporter, records, shown } = start()
  reporter.reportInForce({ hash: FIRST, warnings: [] }, {})
  reporter.reportRefused(new Error('config.yaml:3:1 is wrong'), FIRST)
  t.strictSame(await shown(), { valid: [0], hashes: [FIRST], reloads: { failure: 1 } })
  t.match(records().at(-1), { file: FILE, config: FIRST, err: { message: 'config.yaml:3:1 is wrong' } })
  reporter.reportReload()
  reporter.reportInForce({ hash: SECOND, warnings: [] }, {})
  t.strictSame(await shown(), { valid: [1], hashes: [SECOND], reloads: { failure: 1, success: 1 } })
})
