import { Option } from 'commander'

/** How a command prints: for people, or one JSON document for programs. */
export type OutputFormat = 'text' | 'json'

/** The option `-o, --output` of every command that prints results. */
export function createOutputOption (): Option {
  return new Option('-o, --output <format>', 'what to print').choices(['text', 'json']).default('text')
}

/** Prints one JSON document on standard output. */
export function printJson (value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
}

/** `1 rule`, `2 rules`. */
export function pluralize (count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`
}
