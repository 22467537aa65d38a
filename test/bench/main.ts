import { benchApiServer } from './api-server-bench.ts'
import { buildProject } from './build.ts'
import { withContext, type Benchmark } from './context.ts'
import { describeMachine } from './machine.ts'
import { OPTIONS_HELP, parseOptions, type BenchOptions } from './options.ts'
import { benchStartup } from './startup-bench.ts'
import { benchSync } from './sync-bench.ts'
import { benchWebhook } from './webhook-bench.ts'

const BENCHMARKS: Record<string, Benchmark> = {
  webhook: { summary: 'the webhook under load beside a bare node:https server', run: benchWebhook },
  apiserver: { summary: 'what the webhook adds to Pod creation (needs KUBEBUILDER_ASSETS)', run: benchApiServer },
  sync: { summary: 'the sync worker in 1,000 namespaces beside bare loops (needs KUBEBUILDER_ASSETS)', run: benchSync },
  startup: { summary: 'time to ready, to the first answer and to --version', run: benchStartup }
}

const USAGE_EXIT_CODE = 2

const HELP = `Usage: npm run bench -- [NAME...] [options]

Benchmarks (without a name: all of them):
${Object.entries(BENCHMARKS).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`).join('\n')}

${OPTIONS_HELP}

It reports and does not judge: the exit code is 0 unless something could not be run.
`

try {
  await runBenchmarks(readOptions())
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`)
  process.exitCode ??= 1
}

function readOptions (): BenchOptions {
  try {
    const options = parseOptions(process.argv.slice(2))
    const unknown = options.names.filter((name) => !Object.hasOwn(BENCHMARKS, name))
    if (unknown.length > 0) throw new Error(`no benchmark is called ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}`)
    return options
  } catch (error) {
    process.exitCode = USAGE_EXIT_CODE
    throw error
  }
}

async function runBenchmarks (options: BenchOptions): Promise<void> {
  if (options.help) {
    process.stdout.write(HELP)
    return
  }
  await withContext(options, async (context) => {
    if (options.build) await buildProject(context)
    const names = options.names.length > 0 ? options.names : Object.keys(BENCHMARKS)
    for (const name of names) {
      context.print(`\n== ${name}: ${BENCHMARKS[name]?.summary}`)
      context.print(describeMachine())
      await BENCHMARKS[name]?.run(context)
    }
  })
}
