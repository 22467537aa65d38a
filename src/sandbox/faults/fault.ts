/** A request that came to the fault proxy, as its log keeps it. */
export interface ProxiedRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** As it was sent, without the question mark; empty when there is none. */
  readonly query: string
  /** `watch=true` or `watch=1` is asked for. */
  readonly isWatch: boolean
  /** When it came, by the proxy's clock. */
  readonly atMs: number
  /** What the client was answered; absent until then, and for ever when its connection was cut or stalled before. */
  status?: number
}

/** Says which requests are meant. */
export type RequestFilter = (request: ProxiedRequest) => boolean

/** What can go wrong between a client and its API server. */
export type Fault =
  /**
   * The API is not asked; the answer is a `Status`, as kube-apiserver writes it for this HTTP status. `retryAfterSeconds`
   * stands in its details and in the header `Retry-After`, in whole seconds.
   */
  | { kind: 'answer', status: number, retryAfterSeconds?: number }
  /** Only new watches: 200, one ERROR event with 410 Expired, the end. What kube-apiserver does for a version too old. */
  | { kind: 'expire-watch' }
  /**
   * The connection stays open and nothing more is sent over it, be it a watch that runs, an answer that is due or a new
   * request, which the API never sees. What comes meanwhile is lost: with the end of the fault the connection is cut.
   */
  | { kind: 'stall' }
  /** The API gets the request that much later, unless the client has left by then. Watches that run are not slower. */
  | { kind: 'delay', delayMs: number }
  /** The connection is cut and the API not asked. */
  | { kind: 'reset' }
  /** The API carries the request out, and the connection is cut where the answer would begin. */
  | { kind: 'reset-after-write' }
  /** 401 for this bearer token, as for one that has expired; watches that run go on, as with kube-apiserver. */
  | { kind: 'reject-token', token: string }
