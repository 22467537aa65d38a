import { styleText } from 'node:util'
import { Command } from 'commander'
import { nameInput, readInput } from '../config/input-file.ts'
import type { ConfigReport, LocatedProblem } from '../config/parse-config.ts'
import { createOutputOption, pluralize, printJson, type OutputFormat } from './output.ts'

/** `pullkeeper check FILE`: says everything that is wrong with a configuration, and where. */
export function createCheckCommand (): Command {
  return new Command('check')
    .summary('check a configuration file')
    .description('Checks a configuration file: every error and warning at once, each with its line, column and what to write instead.\n' +
      'Exits 0 when the file can be used (warnings included), 1 when it can not.')
    .argument('<file>', 'configuration file; - reads standard input')
    .addOption(createOutputOption())
    .action(runCheck)
}

async function runCheck (file: string, { output }: { output: OutputFormat }): Promise<void> {
  const { parseConfig, hasErrors } = await import('../config/parse-config.ts')
  const report = parseConfig(await readInput(file), nameInput(file))
  if (output === 'json') printJson({ file: report.file, valid: !hasErrors(report), config: report.hash, problems: report.problems })
  else await printReport(report)
  if (hasErrors(report)) process.exitCode = 1
}

async function printReport (report: ConfigReport): Promise<void> {
  const { formatProblem } = await import('../config/parse-config.ts')
  for (const problem of report.problems) {
    const text = formatProblem(report.file, problem)
    console.log(text.replace(`${problem.severity}:`, styleText(problem.severity === 'error' ? 'red' : 'yellow', `${problem.severity}:`)))
  }
  console.log(await summarize(report))
}

async function summarize ({ file, problems, config }: ConfigReport): Promise<string> {
  const found = `${countSeverity(problems, 'error')}, ${countSeverity(problems, 'warning')}`
  if (config === undefined) return `${file}: ${styleText('red', 'not usable')}: ${found}`
  const { listWebhookEntries } = await import('../core/webhook-entries.ts')
  const entries = listWebhookEntries(config.rules).length
  return `${file}: ${styleText('green', 'ok')}: ${pluralize(config.rules.length, 'rule')} in ${pluralize(entries, 'webhook entry', 'webhook entries')}, ` +
    `${pluralize(config.pullSecrets.length, 'pull secret')}; ${found}`
}

function countSeverity (problems: LocatedProblem[], severity: 'error' | 'warning'): string {
  return pluralize(problems.filter((problem) => problem.severity === severity).length, severity)
}
