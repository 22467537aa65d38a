/*
 * Preloaded by `node --import` into a process under test: notes what it loads and where it turns to, one JSON line
 * each, in the file that the environment names. It stands in Node itself, so that nothing is missed, whoever asks.
 */
import { ChildProcess } from 'node:child_process'
import { Socket as DatagramSocket } from 'node:dgram'
import dns from 'node:dns'
import { appendFileSync } from 'node:fs'
import { registerHooks, syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'

/** What is noted. */
export interface RecordedEvent {
  kind: 'module' | 'connection' | 'datagram' | 'lookup' | 'child-process'
  what: string
}

const file = process.env['PULLKEEPER_TEST_RECORD'] ?? ''

function note (kind: RecordedEvent['kind'], what: unknown): void {
  appendFileSync(file, `${JSON.stringify({ kind, what: typeof what === 'string' ? what : JSON.stringify(what) })}\n`)
}

/** Puts a note before a method; the method stays as it was. */
function noteCalls (owner: object, method: string, kind: RecordedEvent['kind']): void {
  const original = Reflect.get(owner, method) as (...args: unknown[]) => unknown
  Reflect.set(owner, method, function (this: unknown, ...args: unknown[]): unknown {
    note(kind, args.filter((arg) => typeof arg !== 'function'))
    return Reflect.apply(original, this, args)
  })
}

registerHooks({
  resolve (specifier, context, next) {
    const resolved = next(specifier, context)
    note('module', resolved.url)
    return resolved
  }
})
noteCalls(Socket.prototype, 'connect', 'connection')
noteCalls(DatagramSocket.prototype, 'send', 'datagram')
noteCalls(DatagramSocket.prototype, 'connect', 'datagram')
noteCalls(ChildProcess.prototype, 'spawn', 'child-process')
for (const method of ['lookup', 'resolve', 'resolve4', 'resolve6']) {
  noteCalls(dns, method, 'lookup')
  noteCalls(dns.promises, method, 'lookup')
}
syncBuiltinESMExports()
