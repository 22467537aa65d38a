import { fileURLToPath } from 'node:url'
import type { BenchContext } from './context.ts'
import { runProgram } from './run-program.ts'

/** The project's root directory. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The compiled command line, as production runs it. */
export const COMPILED_MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Compiles src/ into dist/, as `npm run build` does. */
export async function buildProject ({ print, signal }: BenchContext): Promise<void> {
  print('building dist/ ...')
  const compiler = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
  await runProgram(process.execPath, [compiler, '--project', 'tsconfig.build.json'], { cwd: ROOT, signal })
}
