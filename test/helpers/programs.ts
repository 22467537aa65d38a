import { spawnSync } from 'node:child_process'

/**
 * Options of a test that needs a program which is no npm package: without it the test is skipped by name. Where
 * PULLKEEPER_REQUIRE_PROGRAMS is set, as in continuous integration, it runs all the same and fails.
 */
export function needsProgram (program: string, debianPackage: string): { skip?: string } {
  const isMissing = spawnSync(program, ['--version']).error !== undefined
  const isRequired = process.env['PULLKEEPER_REQUIRE_PROGRAMS'] !== undefined
  return isMissing && !isRequired ? { skip: `${program} is not installed (Debian: ${debianPackage})` } : {}
}
