#!/usr/bin/env node
import { CommanderError } from 'commander'
import { describeFailure } from './failure.ts'
import { createProgram } from './program.ts'

const USAGE_EXIT_CODE = 2

try {
  await createProgram().parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`pullkeeper: ${describeFailure(error as NodeJS.ErrnoException)}\n`)
    process.exitCode = 1
  } else if (error.exitCode !== 0) process.exitCode = USAGE_EXIT_CODE
}
