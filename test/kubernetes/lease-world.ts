import type { KubeClient, KubeRequest } from '../../src/kubernetes/kube-client.ts'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import { type LeaseElection, type LeaseElectionOptions, startLeaseElection } from '../../src/kubernetes/lease-election.ts'
import type { Lease } from '../../src/kubernetes/lease-record.ts'
import { createFakeClock, type FakeClock } from '../helpers/fake-clock.ts'

/** What happens to one call on its way. */
export interface CallFate {
  /** Until it reaches the API server. */
  requestMs?: number
  /** Until the answer reaches the caller. */
  answerMs?: number
  /** HTTP status that it fails with, or no answer at all. */
  failure?: number | 'hang'
  /** Whether the write was done all the same. */
  isDone?: boolean
}

/** The fate of a candidate's call; `count` begins with 0. */
export type Fate = (request: KubeRequest, count: number) => CallFate

export interface Candidate {
  clock: FakeClock
  election: LeaseElection
  /** What happened to it, in order. */
  events: string[]
  /** What it logged. */
  lines: string[]
  /** Its requests, as `METHOD` each. */
  calls: string[]
  state: 'running' | 'stopped' | 'suspended'
  fate: Fate
}

export type StoredLease = Lease & { metadata: { resourceVersion: string, labels?: Record<string, string> } }

/** An API server with one Lease, and the processes that stand for it, each with clocks of its own. */
export interface World {
  lease: StoredLease | undefined
  /** Writes as someone else would. */
  edit: (change: (lease: StoredLease) => void) => void
  add: (identity: string, options?: Partial<LeaseElectionOptions> & { fate?: Fate }) => Candidate
  /** Lets time pass everywhere; throws when two may write at once. */
  advance: (ms: number) => Promise<void>
  /** Identities of those who may write now. */
  writers: () => string[]
}

const STEP_MS = 100
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

export function createWorld (): World {
  const clock = createFakeClock()
  const candidates = new Map<string, Candidate>()
  let version = 0

  function store (lease: Lease): StoredLease {
    const { resourceVersion: _, ...metadata } = structuredClone(lease.metadata) as StoredLease['metadata']
    world.lease = { ...structuredClone(lease), metadata: { ...metadata, resourceVersion: String(++version) } }
    return world.lease
  }

  function answer ({ method, body }: KubeRequest): StoredLease {
    if (method === 'PATCH') return world.lease ?? store(body as Lease)
    if (world.lease === undefined) throw createError(404)
    if (method === 'GET') return world.lease
    const sent = body as StoredLease
    if (sent.metadata.resourceVersion !== world.lease.metadata.resourceVersion) throw createError(409)
    for (const time of [sent.spec?.acquireTime, sent.spec?.renewTime]) if (!MICRO_TIME.test(time ?? '')) throw createError(422)
    return store(sent)
  }

  async function carry (candidate: Candidate, request: KubeRequest): Promise<StoredLease> {
    const { requestMs = 0, answerMs = 0, failure, isDone = false } = candidate.fate(request, candidate.calls.push(request.method) - 1)
    if (requestMs > 0) await pass(clock, requestMs)
    if (failure === 'hang' && !isDone) return hang()
    if (failure !== undefined && failure !== 'hang' && !isDone) throw createError(failure)
    const answered = structuredClone(answer(request))
    if (answerMs > 0) await pass(clock, answerMs)
    // A stopped process reads its sockets when it goes on.
    if (candidate.state !== 'running' || answerMs > 0) await pass(candidate.clock, 0)
    if (failure === 'hang') return hang()
    if (failure !== undefined) throw createError(failure)
    return answered
  }

  function connect (candidate: Candidate): KubeClient {
    return {
      request: async <T>(request: KubeRequest) => await endWith(request.signal, carry(candidate, request)) as T,
      watch: () => { throw new Error('no election watches') },
      close: async () => {}
    }
  }

  const world: World = {
    lease: undefined,
    edit (change) {
      const lease = structuredClone(world.lease)
      if (lease === undefined) throw new Error('there is no Lease')
      change(lease)
      store(lease)
    },
    add (identity, { fate = () => ({}), ...options } = {}) {
      const own = createFakeClock()
      const events: string[] = []
      const lines: string[] = []
      const line = (_fields: object, text: string): void => { lines.push(text) }
      const candidate = { clock: own, events, lines, calls: [], state: 'running', fate } as unknown as Candidate
      candidate.election = startLeaseElection({
        client: connect(candidate),
        namespace: 'pullkeeper-system',
        name: 'pullkeeper-sync',
        identity,
        clock: own,
        random: () => 0,
        onStartedLeading: () => { events.push('started') },
        onStoppedLeading: (reason) => { events.push(reason) },
        onHolderChanged: (holder) => { events.push(`holder ${holder}`) },
        log: { info: line, warn: line, error: line },
        ...options
      })
      candidates.set(identity, candidate)
      return candidate
    },
    async advance (ms) {
      for (let passedMs = 0; passedMs < ms; passedMs += STEP_MS) {
        await clock.advance(STEP_MS)
        for (const candidate of candidates.values()) await moveOn(candidate)
        const writers = world.writers()
        if (writers.length > 1) throw new Error(`may all write at once: ${writers.join(', ')}`)
      }
    },
    writers: () => [...candidates].filter(([, { election }]) => election.mayWrite()).map(([identity]) => identity)
  }
  return world
}

async function moveOn ({ clock, state }: Candidate): Promise<void> {
  if (state === 'running') await clock.advance(STEP_MS)
  else if (state === 'stopped') clock.stop(STEP_MS)
  else clock.moveWall(STEP_MS)
}

async function pass (clock: FakeClock, ms: number): Promise<void> {
  return new Promise((resolve) => { clock.schedule(resolve, ms) })
}

async function hang (): Promise<never> {
  return new Promise(() => {})
}

async function endWith<T> (signal: AbortSignal | undefined, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal?.addEventListener('abort', () => { reject(new KubeError({ status: 0, reason: 'Unreachable', message: 'called off' })) })
    call.then(resolve, reject)
  })
}

function createError (status: number): KubeError {
  return new KubeError({ status, reason: `HTTP${status}`, message: `answered with ${status}` })
}
