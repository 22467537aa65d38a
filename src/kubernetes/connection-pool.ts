/**
 * How every pool of connections to the API server is made (undici's options). HTTP/1.1 only: over HTTP/2 all calls and watches
 * would share one connection, and its loss would be the loss of all. An idle connection is kept well below the 90 s of the API
 * server and the 60 s of common load balancers, which end it without a word.
 */
export const POOL_OPTIONS = { allowH2: false, keepAliveTimeout: 30_000, connectTimeout: 10_000 } as const

/** Keeps a load balancer from forgetting a watch on which nothing happens (client-go: 30 s; undici: 60 s). */
export const TCP_KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000 } as const
