import { expired, unauthorized } from '../api/status-error.ts'
import type { Fault, RequestFilter } from './fault.ts'
import { createFaultStatus } from './fault-status.ts'
import type { ProxiedExchange, Upstream } from './proxied-exchange.ts'

/** The faults that are on, and what they do to the exchanges under way. */
export interface FaultSwitches {
  /** Switches a fault on; the function that it returns switches it off, and off again does nothing. */
  inject: (fault: Fault, matches?: RequestFilter) => () => void
  /** Lets a new exchange take its way: through the faults that are on, or to the API. */
  start: (exchange: ProxiedExchange) => void
  /** The exchanges that are under way: running watches above all. */
  listOpen: () => ProxiedExchange[]
  /** The exchange is over. */
  finish: (exchange: ProxiedExchange) => void
}

interface Switch {
  fault: Fault
  matches: RequestFilter
  /** Exchanges that wait here for their end. */
  stalled: Set<ProxiedExchange>
}

/**
 * Makes the switches before an API, all off. Where several faults meet one request, all delays come first, added up, and then of
 * the other faults the one that was switched on first.
 */
export function createFaultSwitches (upstream: Upstream): FaultSwitches {
  const switches = new Set<Switch>()
  const delays = new Map<ProxiedExchange, NodeJS.Timeout>()
  const open = new Set<ProxiedExchange>()
  return {
    inject (fault, matches = () => true) {
      const added: Switch = { fault, matches, stalled: new Set() }
      switches.add(added)
      if (fault.kind === 'stall') [...open].filter(({ request }) => matches(request)).forEach((exchange) => { stall(added, exchange) })
      return () => {
        switches.delete(added)
        added.stalled.forEach((exchange) => { exchange.cut() })
        added.stalled.clear()
      }
    },
    start (exchange) {
      open.add(exchange)
      const met = [...switches].filter(({ fault, matches }) => isFor(fault, exchange) && matches(exchange.request))
      // What was switched off while the request was delayed strikes no more.
      const proceed = (): void => { takeWay(exchange, met.find((one) => one.fault.kind !== 'delay' && switches.has(one)), upstream) }
      const delayMs = met.reduce((sum, { fault }) => sum + (fault.kind === 'delay' ? fault.delayMs : 0), 0)
      if (delayMs === 0) proceed()
      else delays.set(exchange, setTimeout(proceed, delayMs))
    },
    listOpen: () => [...open],
    finish (exchange) {
      open.delete(exchange)
      clearTimeout(delays.get(exchange))
      delays.delete(exchange)
      for (const { stalled } of switches) stalled.delete(exchange)
    }
  }
}

/** Some faults strike certain requests only, whatever the filter says. */
function isFor (fault: Fault, { request, authorization }: ProxiedExchange): boolean {
  switch (fault.kind) {
    case 'expire-watch': return request.isWatch
    case 'reject-token': return authorization === `Bearer ${fault.token}`
    default: return true
  }
}

function takeWay (exchange: ProxiedExchange, met: Switch | undefined, upstream: Upstream): void {
  if (met === undefined) {
    exchange.forward(upstream, 'pass')
    return
  }
  const { fault } = met
  switch (fault.kind) {
    case 'answer': refuse(exchange, fault.status, fault.retryAfterSeconds); break
    case 'expire-watch': expireWatch(exchange); break
    case 'reject-token': exchange.reply(401, {}, formatLine(unauthorized().status)); break
    case 'stall': stall(met, exchange); break
    case 'reset': exchange.cut(); break
    case 'reset-after-write': exchange.forward(upstream, 'cut'); break
    case 'delay': throw new Error('a delay decides nothing')
  }
}

function stall ({ stalled }: Switch, exchange: ProxiedExchange): void {
  exchange.stall()
  stalled.add(exchange)
}

function refuse (exchange: ProxiedExchange, status: number, retryAfterSeconds?: number): void {
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  exchange.reply(status, headers, formatLine(createFaultStatus(status, exchange.request, retryAfterSeconds)))
}

/** The proxy does not know which version is the oldest: any later one than was asked for says the same. */
function expireWatch (exchange: ProxiedExchange): void {
  const asked = Number(new URLSearchParams(exchange.request.query).get('resourceVersion') ?? 0)
  exchange.reply(200, {}, formatLine({ type: 'ERROR', object: expired(asked, asked + 1).status }))
}

function formatLine (value: object): string {
  return JSON.stringify(value) + '\n'
}
