import type { KubeList, KubeObject } from '../../src/core/kube-object.ts'
import type { KubeClient, KubeRequest, WatchRequest } from '../../src/kubernetes/kube-client.ts'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import { type Reflector, type ReflectorIntervals, startReflector } from '../../src/kubernetes/reflector.ts'
import type { WatchEvent } from '../../src/kubernetes/watch-events.ts'
import { createFakeClock, type FakeClock } from '../helpers/fake-clock.ts'

/** An object of the collection that the reflector follows. */
export interface Note extends KubeObject {
  text: string
}

/** What was asked of the API, and when. */
export interface Asked {
  kind: 'list' | 'watch'
  query: Record<string, string>
  atMs: number
}

/** How the API misbehaves; what is absent works. */
export interface Trouble {
  list?: () => Partial<KubeList<Note>>
  /** Instead of the watch: what it sends before it ends, or the error that it throws. */
  watch?: (request: WatchRequest) => AsyncGenerator<WatchEvent<Note>>
  /** Told of each object before the view is. */
  handler?: (note: Note) => void
}

/** A collection with one reflector, at a clock that stands still. */
export interface ReflectorWorld {
  clock: FakeClock
  reflector: Reflector
  /** What the reflector's handler knows. */
  view: Map<string, string>
  asked: Asked[]
  failures: KubeError[]
  trouble: Trouble
  put: (name: string, text: string) => void
  remove: (name: string) => void
  bookmark: () => void
  /** The API server ends all watches, cleanly or by cutting the connection. */
  endWatches: (how: 'cleanly' | 'cut') => void
  /** Whether the view is what the API holds. */
  isRight: () => boolean
}

interface OpenWatch {
  queue: WatchEvent<Note>[]
  ending: 'cleanly' | 'cut' | undefined
  wake: () => void
}

/** Starts a reflector on a collection that holds one note, `a`. */
export function startReflectorWorld (trouble: Trouble = {}, intervals: Partial<ReflectorIntervals> = {}): ReflectorWorld {
  const clock = createFakeClock()
  const notes = new Map<string, Note>()
  const history: WatchEvent<Note>[] = []
  const open = new Set<OpenWatch>()
  const asked: Asked[] = []
  const failures: KubeError[] = []
  const view = new Map<string, string>()
  let version = 100

  function publish (type: WatchEvent<Note>['type'], object: Note): void {
    if (type !== 'BOOKMARK') history.push({ type, object })
    for (const watch of open) {
      watch.queue.push({ type, object })
      watch.wake()
    }
  }

  const createNote = (name: string, text: string): Note => ({ metadata: { name, uid: name, resourceVersion: String(++version) }, text })

  function put (name: string, text: string): void {
    const type = notes.has(name) ? 'MODIFIED' : 'ADDED'
    const note = createNote(name, text)
    notes.set(name, note)
    publish(type, note)
  }

  async function * follow ({ query, signal, onOpen }: WatchRequest): AsyncGenerator<WatchEvent<Note>> {
    const since = Number(query['resourceVersion'])
    const watch: OpenWatch = { queue: history.filter(({ object }) => Number(object.metadata.resourceVersion) > since), ending: undefined, wake: () => {} }
    open.add(watch)
    signal.addEventListener('abort', () => { watch.wake() })
    onOpen?.()
    try {
      for (;;) {
        yield * watch.queue.splice(0)
        if (signal.aborted) throw new KubeError({ status: 0, reason: 'CalledOff', message: 'the call was called off' })
        if (watch.ending === 'cut') throw unreachable()
        if (watch.ending === 'cleanly') return
        await new Promise<void>((resolve) => { watch.wake = resolve })
      }
    } finally {
      open.delete(watch)
    }
  }

  const client: KubeClient = {
    async request <T> ({ query = {}, signal }: KubeRequest): Promise<T> {
      asked.push({ kind: 'list', query, atMs: clock.monotonicMs() })
      signal?.throwIfAborted()
      const list = world.trouble.list?.() ?? { metadata: { resourceVersion: String(version) }, items: [...notes.values()] }
      return list as T
    },
    watch <T> (request: WatchRequest): AsyncGenerator<WatchEvent<T>> {
      asked.push({ kind: 'watch', query: request.query, atMs: clock.monotonicMs() })
      const watch = world.trouble.watch ?? follow
      return watch(request) as unknown as AsyncGenerator<WatchEvent<T>>
    },
    close: async () => {}
  }

  put('a', 'first')
  const world: Omit<ReflectorWorld, 'reflector'> = {
    clock,
    view,
    asked,
    failures,
    trouble,
    put,
    remove (name) {
      notes.delete(name)
      publish('DELETED', createNote(name, ''))
    },
    bookmark () { publish('BOOKMARK', createNote('', '')) },
    endWatches (how) {
      for (const watch of open) {
        watch.ending = how
        watch.wake()
      }
    },
    isRight: () => JSON.stringify([...view].toSorted()) === JSON.stringify([...notes].map(([name, { text }]) => [name, text]).toSorted())
  }

  const reflector = startReflector<Note>({
    client,
    clock,
    random: () => 0,
    path: '/api/v1/notes',
    query: { fieldSelector: 'metadata.name=a' },
    handler: {
      replace (listed) {
        for (const note of listed) world.trouble.handler?.(note)
        view.clear()
        for (const { metadata, text } of listed) view.set(metadata.name, text)
      },
      upsert (note) {
        world.trouble.handler?.(note)
        view.set(note.metadata.name, note.text)
      },
      remove: ({ metadata }) => { view.delete(metadata.name) }
    },
    onFailure: (error) => { failures.push(error) },
    intervals
  })
  return Object.assign(world, { reflector })
}

/** The connection is gone. */
export function unreachable (): KubeError {
  return new KubeError({ status: 0, reason: 'Unreachable', message: 'the API server can not be reached: ECONNRESET' })
}

/** An answer with this HTTP status. */
export function answer (status: number, details: { retryAfterMs?: number } = {}): KubeError {
  return new KubeError({ status, reason: `HTTP${status}`, message: 'no', ...details })
}
