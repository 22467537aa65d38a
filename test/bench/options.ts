import { parseArgs } from 'node:util'
import { WEBHOOK_NODE_FLAGS } from './node-flags.ts'
import { REVIEWS, type ReviewName } from './reviews.ts'

/** What the command line asks for. */
export interface BenchOptions {
  /** Benchmarks to run, in this order; empty = all. */
  names: string[]
  help: boolean
  /** Whether to compile src/ first. */
  build: boolean
  /** Counted rounds of each variant; a warm-up round more is run and dropped. */
  rounds: number
  /** How long a round of load takes. */
  seconds: number
  review: ReviewName
  /** Absent = wrk where it is installed, else autocannon. */
  generator?: 'wrk' | 'autocannon'
  nodeFlags: readonly string[]
  floorNodeFlags: readonly string[]
  /** Folder that gets a CPU profile of each server. */
  profileDirectory?: string
}

/** The options part of `--help`. */
export const OPTIONS_HELP = `Options:
  --rounds N              counted rounds of each variant (default 5), after a warm-up round
  --seconds N             length of a round of load (default 5)
  --review NAME           ${Object.keys(REVIEWS).join(' | ')} (default ${Object.keys(REVIEWS)[0]})
  --generator NAME        wrk | autocannon (default: wrk where it is installed)
  --node-flags FLAGS      flags of the webhook's node, instead of production's
  --floor-node-flags FLAGS  flags of the floor's node (default: none)
  --profile DIR           write a CPU profile of each server to DIR; it slows both
  --no-build              measure what dist/ holds
  --help`

/** Parses the command line; throws for what it does not know. */
export function parseOptions (args: string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      review: { type: 'string', default: 'deployment-pod' },
      generator: { type: 'string' },
      'node-flags': { type: 'string' },
      'floor-node-flags': { type: 'string', default: '' },
      profile: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  const { generator, profile, review, 'node-flags': nodeFlags } = values
  if (generator !== undefined && generator !== 'wrk' && generator !== 'autocannon') throw new Error('--generator is wrk or autocannon')
  if (!isReviewName(review)) throw new Error(`--review is one of ${Object.keys(REVIEWS).join(', ')}`)
  return {
    names: positionals,
    help: values.help,
    build: !values['no-build'],
    rounds: parseCount('--rounds', values.rounds, 50),
    seconds: parseCount('--seconds', values.seconds, 60),
    review,
    nodeFlags: nodeFlags === undefined ? WEBHOOK_NODE_FLAGS : splitFlags(nodeFlags),
    floorNodeFlags: splitFlags(values['floor-node-flags']),
    ...(generator !== undefined && { generator }),
    ...(profile !== undefined && { profileDirectory: profile })
  }
}

function isReviewName (name: string): name is ReviewName {
  return Object.hasOwn(REVIEWS, name)
}

function parseCount (option: string, text: string, max: number): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > max) throw new Error(`${option} is a whole number from 1 to ${max}`)
  return count
}

function splitFlags (flags: string): string[] {
  return flags.split(' ').filter((flag) => flag !== '')
}
