import type { ProxiedRequest } from './fault.ts'

/** The last requests, oldest first. */
export interface RequestLog {
  add: (request: ProxiedRequest) => void
  list: () => ProxiedRequest[]
  clear: () => void
}

/** Makes a log that keeps the last `limit` requests in a ring, so that a storm costs bounded memory and no copying. */
export function createRequestLog (limit: number): RequestLog {
  let ring: ProxiedRequest[] = []
  let oldest = 0
  return {
    add (request) {
      if (ring.length < limit) {
        ring.push(request)
        return
      }
      ring[oldest] = request
      oldest = (oldest + 1) % limit
    },
    list: () => [...ring.slice(oldest), ...ring.slice(0, oldest)],
    clear () {
      ring = []
      oldest = 0
    }
  }
}
