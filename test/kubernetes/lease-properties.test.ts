import fc, { type Arbitrary } from 'fast-check'
import t from 'tap'
import { type CallFate, type Candidate, createWorld, type World } from './lease-world.ts'

const IDENTITIES = ['a', 'b', 'c']
const RUN_SECONDS = 100
/** Lease duration, the longest call and the longest wait of a candidate, with some to spare. */
const RECOVERY_MS = 35_000

/** What befalls one process, from one second of the run on. */
interface Incident {
  kind: 'stopped' | 'suspended' | 'wall clock' | 'closed' | 'calls'
  /** The one that leads then, or else this one. */
  target: 'leader' | 'a' | 'b' | 'c'
  atSecond: number
  forSeconds: number
  /** That of all calls, for `calls`. */
  fate: CallFate
}

const failures = (): Arbitrary<CallFate> => fc.constantFrom<CallFate[]>(
  { failure: 'hang' }, { failure: 'hang', isDone: true }, { failure: 500 }, { failure: 500, isDone: true }, { failure: 409 }, { failure: 429 },
  { requestMs: 4_000 }, { answerMs: 4_000 }, { requestMs: 8_000 }, { requestMs: 20_000 }, { answerMs: 12_000 }, { requestMs: 14_000, answerMs: 3_000 }
)

const fates = (): Arbitrary<CallFate> => fc.oneof(
  { weight: 8, arbitrary: fc.record({ requestMs: fc.constantFrom(0, 10, 300), answerMs: fc.constantFrom(0, 10, 300) }) },
  { weight: 1, arbitrary: failures() }
)

const incidents = (): Arbitrary<Incident> => fc.record({
  kind: fc.constantFrom<Incident['kind'][]>('stopped', 'suspended', 'wall clock', 'closed', 'calls', 'calls'),
  target: fc.constantFrom<Incident['target'][]>('leader', 'leader', 'leader', 'a', 'b', 'c'),
  atSecond: fc.integer({ min: 3, max: RUN_SECONDS }),
  forSeconds: fc.constantFrom(1, 8, 12, 25, 40),
  fate: failures()
})

function strike (world: World, candidates: Map<string, Candidate>, { kind, target, atSecond, forSeconds, fate }: Incident, ends: Map<number, (() => void)[]>): void {
  const victim = candidates.get(target === 'leader' ? world.writers()[0] ?? 'a' : target)
  if (victim === undefined) return
  const usual = victim.fate
  if (kind === 'stopped' || kind === 'suspended') victim.state = kind
  if (kind === 'wall clock') victim.clock.moveWall(forSeconds * 1_000)
  if (kind === 'closed') void victim.election.close()
  if (kind === 'calls') victim.fate = () => fate
  const endsAt = atSecond + forSeconds
  ends.set(endsAt, [...ends.get(endsAt) ?? [], () => {
    victim.state = 'running'
    victim.fate = usual
  }])
}

void t.test('whatever happens to calls and processes, no two may write at once, and in the end one does', async (t) => {
  const scenario = fc.record({
    calls: fc.array(fates(), { minLength: 1, maxLength: 40 }),
    incidents: fc.array(incidents(), { maxLength: 6 }),
    random: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 })
  })
  let terms = 0
  await fc.assert(fc.asyncProperty(scenario, async ({ calls, incidents, random }) => {
    const world = createWorld()
    let draws = 0
    const candidates = new Map(IDENTITIES.map((identity, index) => [identity, world.add(identity, {
      fate: (_request, count) => calls[(count * IDENTITIES.length + index) % calls.length] ?? {},
      random: () => random[draws++ % random.length] ?? 0
    })]))
    const ends = new Map<number, (() => void)[]>()
    for (let second = 0; second < RUN_SECONDS; second++) {
      for (const end of ends.get(second) ?? []) end()
      for (const incident of incidents) if (incident.atSecond === second) strike(world, candidates, incident, ends)
      await world.advance(1_000)
    }
    for (const candidate of candidates.values()) Object.assign(candidate, { state: 'running', fate: () => ({}) })
    await world.advance(RECOVERY_MS)

    const events = [...candidates.values()].map(({ events }) => events)
    terms += events.flat().filter((event) => event === 'started').length
    const [writer = ''] = world.writers()
    const isAnyLeft = !incidents.some(({ kind }) => kind === 'closed')
    if (isAnyLeft && writer === '') throw new Error(`nobody leads: ${JSON.stringify(events)}`)
    if (writer !== '' && world.lease?.spec?.holderIdentity !== writer) throw new Error(`${writer} leads, and the Lease is ${JSON.stringify(world.lease)}`)
  }), { numRuns: 60 })
  t.ok(terms > 30, `${terms} terms were begun`)
})
