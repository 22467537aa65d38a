import t from 'tap'
import { createWorld, type Fate } from './lease-world.ts'

const LEASE_DURATION_MS = 15_000
const RENEW_DEADLINE_MS = 10_000
/** Longest wait of a candidate: 2.2 retry periods. */
const LONGEST_WAIT_MS = 4_400

const always = (failure: number | 'hang'): Fate => () => ({ failure })
const fine: Fate = () => ({})

void t.test('the first candidate makes the Lease and leads', async (t) => {
  const world = createWorld()
  const { election, events, calls } = world.add('a')
  t.notOk(election.isLeader())
  await world.advance(100)
  t.ok(election.isLeader())
  t.ok(election.mayWrite())
  t.strictSame(events, ['holder a', 'started'])
  t.strictSame(calls, ['GET', 'PATCH', 'PUT'])
  t.strictSame(world.lease?.spec, {
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    acquireTime: '2026-01-31T12:00:00.000000Z',
    renewTime: '2026-01-31T12:00:00.000000Z',
    leaseTransitions: 0
  })
})

void t.test('the leader renews every two seconds with one call and changes nothing but the time', async (t) => {
  const world = createWorld()
  const { calls } = world.add('a')
  await world.advance(100)
  calls.length = 0
  await world.advance(20_000)
  t.strictSame(calls, Array.from({ length: 10 }, () => 'PUT'))
  t.match(world.lease?.spec, { acquireTime: '2026-01-31T12:00:00.000000Z', renewTime: '2026-01-31T12:00:20.000000Z', leaseTransitions: 0 })
})

void t.test('of two that create at the same moment one leads', async (t) => {
  for (const [a, b] of [[0, 0], [300, 0], [0, 300], [1_000, 900]] as const) {
    const world = createWorld()
    world.add('a', { fate: () => ({ requestMs: a, answerMs: a }) })
    world.add('b', { fate: () => ({ requestMs: b, answerMs: b }) })
    await world.advance(10_000)
    t.equal(world.writers().length, 1)
    t.equal(world.lease?.spec?.holderIdentity, world.writers()[0])
    t.equal(world.lease?.spec?.leaseTransitions, 0)
  }
})

void t.test('a holder that is gone is followed after the lease duration as the candidate saw it, whatever its clock said', async (t) => {
  const hourMs = 3_600_000
  for (const skewMs of [0, -hourMs, hourMs]) {
    const world = createWorld()
    const gone = world.add('gone')
    gone.clock.moveWall(skewMs)
    await world.advance(5_000)
    gone.state = 'stopped'
    const { events } = world.add('b')
    await world.advance(LEASE_DURATION_MS - 100)
    t.strictSame(events, ['holder gone'], `skew ${skewMs}: not before`)
    await world.advance(LONGEST_WAIT_MS)
    t.strictSame(events, ['holder gone', 'holder b', 'started'], `skew ${skewMs}: then at once`)
    t.equal(world.lease?.spec?.leaseTransitions, 1)
  }
})

void t.test('how long the record is valid, the record says', async (t) => {
  for (const [seconds, expectedMs] of [[40, 40_000], [undefined, LEASE_DURATION_MS]] as const) {
    const world = createWorld()
    const first = world.add('a', { leaseDurationMs: 40_000 })
    await world.advance(1_000)
    first.state = 'stopped'
    world.edit(({ spec }) => { if (seconds === undefined) delete spec?.leaseDurationSeconds })
    const { election } = world.add('b')
    await world.advance(expectedMs - 100)
    t.notOk(election.isLeader())
    await world.advance(LONGEST_WAIT_MS)
    t.ok(election.isLeader())
  }
})

void t.test('what someone else changes on the Lease but its record does not keep its holder alive', async (t) => {
  const world = createWorld()
  const gone = world.add('gone')
  await world.advance(1_000)
  gone.state = 'stopped'
  const { election } = world.add('b')
  await world.advance(LEASE_DURATION_MS - 1_000)
  world.edit((lease) => { lease.metadata.labels = { seen: 'true' } })
  await world.advance(1_000 + LONGEST_WAIT_MS)
  t.ok(election.isLeader())
})

void t.test('renewals that fail', async (t) => {
  const failures: [string, Fate][] = [
    ['hang', always('hang')], ['are answered with 500', always(500)], ['are answered with 429', always(429)], ['are forbidden', always(403)],
    ['arrive, while the answers do not', () => ({ failure: 'hang', isDone: true })]
  ]
  for (const [name, fate] of failures) {
    await t.test(`${name} for eight seconds: it goes on leading`, async (t) => {
      const world = createWorld()
      const leader = world.add('a')
      await world.advance(2_100)
      leader.fate = (request, count) => leader.clock.monotonicMs() < 10_000 ? fate(request, count) : {}
      await world.advance(30_000)
      t.strictSame(leader.events, ['holder a', 'started'])
      t.ok(leader.election.mayWrite())
    })

    await t.test(`${name} for a minute: it stops at the renew deadline, stands again and leads again`, async (t) => {
      const world = createWorld()
      const leader = world.add('a')
      await world.advance(2_000)
      leader.fate = fate
      await world.advance(RENEW_DEADLINE_MS - 200)
      t.ok(leader.election.mayWrite())
      await world.advance(200)
      t.notOk(leader.election.mayWrite())
      t.strictSame(leader.events, ['holder a', 'started', 'deadline'])
      await world.advance(50_000)
      t.notOk(leader.election.mayWrite())
      leader.fate = fine
      await world.advance(5_000 + LONGEST_WAIT_MS)
      t.strictSame(leader.events, ['holder a', 'started', 'deadline', 'started'])
      t.equal(world.lease?.spec?.leaseTransitions, 0)
    })
  }
})

void t.test('while the leader\'s calls hang the other one takes over, and the first learns of it', async (t) => {
  const world = createWorld()
  const first = world.add('a')
  await world.advance(2_100)
  const second = world.add('b')
  first.fate = always('hang')
  await world.advance(LEASE_DURATION_MS + LONGEST_WAIT_MS)
  t.strictSame(world.writers(), ['b'])
  first.fate = fine
  await world.advance(10_000)
  t.strictSame(first.events, ['holder a', 'started', 'deadline', 'holder b'])
  t.strictSame(second.events, ['holder a', 'holder b', 'started'])
})

void t.test('an update that was done but not answered leads when it is read', async (t) => {
  const world = createWorld()
  const { events } = world.add('a', { fate: ({ method }, count) => method === 'PUT' && count < 4 ? { failure: 500, isDone: true } : {} })
  await world.advance(5_000)
  t.strictSame(events, ['holder a', 'started'])
})

void t.test('someone else\'s annotations and labels stay, and the leader goes on', async (t) => {
  const world = createWorld()
  const { events, calls } = world.add('a')
  await world.advance(1_000)
  world.edit((lease) => {
    lease.metadata.labels = { team: 'platform' }
    lease.metadata.annotations = { note: 'by hand' }
  })
  await world.advance(1_500)
  t.strictSame(calls.slice(3), ['PUT', 'GET', 'PUT'])
  await world.advance(10_000)
  t.strictSame(calls.slice(6), Array.from({ length: 5 }, () => 'PUT'))
  t.match(world.lease?.metadata, { labels: { team: 'platform' }, annotations: { note: 'by hand' } })
  t.strictSame(events, ['holder a', 'started'])
})

void t.test('a leader whose Lease was taken by another has lost and stands again', async (t) => {
  const world = createWorld()
  const { events } = world.add('a')
  await world.advance(1_000)
  world.edit(({ spec }) => Object.assign(spec ?? {}, { holderIdentity: 'thief' }))
  await world.advance(1_500)
  t.strictSame(events, ['holder a', 'started', 'lost', 'holder thief'])
  await world.advance(LEASE_DURATION_MS + LONGEST_WAIT_MS)
  t.strictSame(events.slice(4), ['holder a', 'started'])
})

void t.test('a Lease that was deleted is not made anew by another one before its holder\'s time is over', async (t) => {
  const world = createWorld()
  const first = world.add('a')
  await world.advance(100)
  const second = world.add('b')
  await world.advance(1_000)
  world.lease = undefined
  first.state = 'stopped'
  await world.advance(LEASE_DURATION_MS - 1_200)
  t.equal(world.lease, undefined)
  await world.advance(LONGEST_WAIT_MS)
  t.strictSame(world.writers(), ['b'])
  t.strictSame(second.events, ['holder a', 'holder ', 'holder b', 'started'])
})

void t.test('a leader whose Lease was deleted makes it anew', async (t) => {
  const world = createWorld()
  const { events } = world.add('a')
  await world.advance(1_000)
  world.lease = undefined
  await world.advance(2_000)
  t.strictSame(events, ['holder a', 'started', 'lost', 'holder ', 'holder a', 'started'])
})

void t.test('close gives the Lease back, and the other one leads after its next look', async (t) => {
  const world = createWorld()
  const first = world.add('a')
  await world.advance(100)
  const second = world.add('b')
  await world.advance(1_000)
  const closed = first.election.close()
  t.notOk(first.election.mayWrite())
  await closed
  t.match(world.lease?.spec, { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 })
  t.equal(first.clock.countWaiting(), 0)
  await world.advance(LONGEST_WAIT_MS)
  t.strictSame(first.events, ['holder a', 'started', 'closed'])
  t.strictSame(second.events, ['holder a', 'holder ', 'holder b', 'started'])
  t.match(world.lease?.spec, { holderIdentity: 'b', leaseDurationSeconds: 15, leaseTransitions: 1 })
  await first.election.close()
})

void t.test('close gives back what a renewal on its way has just written', async (t) => {
  const world = createWorld()
  const leader = world.add('a')
  await world.advance(1_900)
  leader.fate = ({ method }, count) => method === 'PUT' && count === 3 ? { answerMs: 3_000 } : {}
  await world.advance(1_000)
  t.strictSame(leader.calls.slice(3), ['PUT'])
  await leader.election.close()
  t.equal(world.lease?.spec?.holderIdentity, '')
})

void t.test('a follower\'s close writes nothing', async (t) => {
  const world = createWorld()
  world.add('a')
  await world.advance(100)
  const second = world.add('b')
  await world.advance(1_000)
  await second.election.close()
  t.strictSame(second.calls, ['GET'])
  t.equal(world.lease?.spec?.holderIdentity, 'a')
})

void t.test('close ends though the API server does not answer', async (t) => {
  const world = createWorld()
  const leader = world.add('a')
  await world.advance(1_000)
  leader.fate = always('hang')
  const closed = leader.election.close()
  await world.advance(6_000)
  await closed
  t.equal(leader.clock.countWaiting(), 0)
})

for (const state of ['stopped', 'suspended'] as const) {
  void t.test(`a leader that was ${state} may not write when it goes on, before anything of it has run`, async (t) => {
    const world = createWorld()
    const first = world.add('a')
    await world.advance(100)
    const second = world.add('b')
    await world.advance(1_000)
    first.state = state
    await world.advance(RENEW_DEADLINE_MS)
    t.notOk(first.election.mayWrite())
    await world.advance(20_000)
    t.ok(second.election.mayWrite())
    t.notOk(first.election.mayWrite())
    first.state = 'running'
    await world.advance(3_000)
    t.strictSame(first.events, ['holder a', 'started', 'deadline', 'holder b'])
    t.strictSame(world.writers(), ['b'])
  })

  void t.test(`a candidate that was ${state} while it was elected does not lead by that`, async (t) => {
    const world = createWorld()
    const { clock, events, election, ...candidate } = world.add('a', { fate: ({ method }) => method === 'PUT' ? { requestMs: 500 } : {} })
    t.equal(candidate.state, 'running')
    await world.advance(200)
    if (state === 'stopped') clock.stop(30_000)
    else clock.moveWall(30_000)
    t.notOk(election.mayWrite())
    await world.advance(400)
    t.notOk(election.isLeader())
    await world.advance(10_000)
    t.ok(election.mayWrite())
    t.strictSame(events, ['holder a', 'started'])
  })
}

void t.test('the first question after the deadline ends the term, and a renewal whose answer comes late begins a new one', async (t) => {
  const world = createWorld()
  const leader = world.add('a')
  await world.advance(100)
  leader.fate = ({ method }) => leader.clock.monotonicMs() < 8_500 ? { failure: 500 } : method === 'PUT' ? { answerMs: 2_000 } : {}
  await world.advance(9_000)
  t.ok(leader.election.mayWrite(), 'the renewal is on its way')
  // Nothing of it runs: neither the timer of the deadline nor the answer.
  leader.clock.stop(2_000)
  t.strictSame(leader.events, ['holder a', 'started'])
  t.notOk(leader.election.mayWrite())
  t.strictSame(leader.events, ['holder a', 'started', 'deadline'], 'whoever asked and did not write has its term ended')
  t.notOk(leader.election.isLeader())
  await world.advance(3_000)
  t.strictSame(leader.events, ['holder a', 'started', 'deadline', 'started'])
  t.ok(leader.election.mayWrite())
  t.equal(world.lease?.spec?.leaseTransitions, 0)
})

void t.test('a wall clock that is set forward stops writes until the next renewal, one that is set back changes nothing', async (t) => {
  const world = createWorld()
  const { clock, election, events } = world.add('a')
  await world.advance(1_000)
  clock.moveWall(-3_600_000)
  t.ok(election.mayWrite())
  await world.advance(5_000)
  t.ok(election.mayWrite())
  clock.moveWall(3_600_000)
  t.notOk(election.mayWrite())
  await world.advance(2_500)
  t.ok(election.mayWrite())
  t.strictSame(events, ['holder a', 'started', 'deadline', 'started'])
})

void t.test('a wall clock that was set back does not lengthen the term', async (t) => {
  const world = createWorld()
  const { clock, election, ...rest } = world.add('a', { fate: (_request, count) => count > 2 ? { failure: 'hang' } : {} })
  await world.advance(1_000)
  clock.moveWall(-3_600_000)
  await world.advance(RENEW_DEADLINE_MS - 1_000)
  t.notOk(election.mayWrite())
  t.strictSame(rest.events, ['holder a', 'started', 'deadline'])
})

void t.test('annotations', async (t) => {
  await t.test('are written with the next renewal, and stay while it leads', async (t) => {
    const world = createWorld()
    const { election } = world.add('a', { annotations: { version: '1' } })
    await world.advance(1_000)
    t.strictSame(world.lease?.metadata.annotations, { version: '1' })
    election.annotate({ report: 'one', other: 'x' })
    election.annotate({ report: 'two', other: null })
    t.strictSame(election.annotations(), { version: '1' })
    await world.advance(1_500)
    t.strictSame(world.lease?.metadata.annotations, { version: '1', report: 'two' })
    t.strictSame(election.annotations(), { version: '1', report: 'two' })
    world.edit((lease) => { delete lease.metadata.annotations })
    await world.advance(2_000)
    t.strictSame(world.lease?.metadata.annotations, { version: '1', report: 'two' })
  })

  await t.test('are written at once on demand, also while a renewal is on its way', async (t) => {
    const world = createWorld()
    const leader = world.add('a')
    await world.advance(300)
    leader.election.annotate({ report: 'one' }, { now: true })
    await world.advance(100)
    t.strictSame(world.lease?.metadata.annotations, { report: 'one' })
    leader.fate = () => ({ answerMs: 500 })
    await world.advance(2_100)
    leader.election.annotate({ report: 'two' }, { now: true })
    await world.advance(700)
    t.strictSame(world.lease?.metadata.annotations, { report: 'two' })
    leader.fate = fine
    await world.advance(2_000)
    t.equal(leader.calls.length, 7)
  })

  await t.test('are written with the Lease\'s return, too', async (t) => {
    const world = createWorld()
    const { election } = world.add('a')
    await world.advance(300)
    election.annotate({ report: 'last' })
    await election.close()
    t.match(world.lease, { metadata: { annotations: { report: 'last' } }, spec: { holderIdentity: '' } })
  })

  await t.test('of one leader are read by the others and told to the next one, and a follower writes none', async (t) => {
    const world = createWorld()
    const first = world.add('a')
    await world.advance(100)
    const told: object[] = []
    const second = world.add('b', { onStartedLeading: ({ annotations }) => { told.push(annotations) } })
    first.election.annotate({ report: 'of a' })
    await world.advance(5_000)
    second.election.annotate({ report: 'of b' }, { now: true })
    await world.advance(5_000)
    t.strictSame(second.election.annotations(), { report: 'of a' })
    await first.election.close()
    await world.advance(LONGEST_WAIT_MS)
    t.strictSame(told, [{ report: 'of a' }])
    await world.advance(5_000)
    t.strictSame(world.lease?.metadata.annotations, { report: 'of a' })
  })
})

void t.test('missing rights are said once, with what to apply, and their return, too', async (t) => {
  const world = createWorld()
  const candidate = world.add('a', { fate: always(403) })
  await world.advance(20_000)
  t.match(candidate.lines, [/manifests --only rbac/])
  t.equal(candidate.lines.length, 1)
  candidate.fate = fine
  await world.advance(LONGEST_WAIT_MS)
  t.match(candidate.lines.slice(1), ['this process leads now', /again/])
})

void t.test('candidates wait 1.0 to 2.2 retry periods', async (t) => {
  for (const [random, calls] of [[0, 6], [0.5, 4], [1, 3]] as const) {
    const world = createWorld()
    world.add('a')
    await world.advance(100)
    const candidate = world.add('b', { random: () => random })
    await world.advance(10_500)
    t.equal(candidate.calls.length, calls)
  }
})

void t.test('periods that leave no time for one another are refused', async (t) => {
  const world = createWorld()
  t.throws(() => world.add('a', { leaseDurationMs: 10_000 }), /lease duration \(10000 ms\) must be longer/)
  t.throws(() => world.add('a', { retryPeriodMs: 9_000 }), /retry periods \(9000 ms\)/)
})
