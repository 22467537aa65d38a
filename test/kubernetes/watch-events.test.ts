import fc from 'fast-check'
import t from 'tap'
import { readWatchEvents, type WatchEvent } from '../../src/kubernetes/watch-events.ts'

type Event = WatchEvent<{ note: string }>

async function * cut (bytes: Buffer, sizes: number[]): AsyncGenerator<Buffer> {
  let from = 0
  for (let index = 0; from < bytes.length; index++) {
    const to = from + (sizes[index % sizes.length] ?? 1)
    yield bytes.subarray(from, to)
    from = to
  }
}

async function read (text: string, sizes = [text.length + 4]): Promise<Event[]> {
  const events: Event[] = []
  for await (const event of readWatchEvents<{ note: string }>(cut(Buffer.from(text), sizes))) events.push(event)
  return events
}

const eventOf = (note: string): Event => ({ type: 'ADDED', object: { note } })

void t.test('events are read however they are cut, letters of several bytes included', async () => {
  const notes = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 8 })
  await fc.assert(fc.asyncProperty(notes, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }), async (notes, sizes) => {
    const events = notes.map(eventOf)
    const seen = await read(events.map((event) => `${JSON.stringify(event)}\n`).join(''), sizes)
    if (JSON.stringify(seen) !== JSON.stringify(events)) throw new Error(`read ${JSON.stringify(seen)}`)
  }), { numRuns: 200 })
})

void t.test('empty lines say nothing', async (t) => {
  t.strictSame(await read(`\n${JSON.stringify(eventOf('a'))}\n\n`), [eventOf('a')])
})

void t.test('a line that was cut off is dropped', async (t) => {
  const line = JSON.stringify(eventOf('a'))
  t.strictSame(await read(`${line}\n${line.slice(0, 10)}`), [eventOf('a')])
})

for (const line of ['<html>', '{', 'null', '[]', '7', '{}', '{"type":"ADDED"}', '{"type":"ADDED","object":null}', '{"object":{}}']) {
  void t.test(`${line} is no event`, async (t) => {
    await t.rejects(read(`${line}\n`), { name: 'KubeError', status: 0, reason: 'InvalidAnswer' })
  })
}
