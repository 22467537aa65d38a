import type { Dispatcher } from 'undici'
import type { Clock } from '../core/clock.ts'
import { KubeError } from './kube-error.ts'

/** What a call carries for the deadline interceptor, as `opaque`. */
export interface RequestDeadline {
  /** By the monotonic clock. */
  deadlineMs: number
}

/**
 * Settles as the promise does, or rejects with the signal's reason when that comes first: undici's own `signal` takes no effect
 * while a request waits for its connection, which may take its whole connect timeout. What is called off then is never sent.
 */
export async function settleUnlessAborted<T> (signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => { reject(signal.reason instanceof Error ? signal.reason : new Error('called off')) }
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    void promise.then(resolve, reject).finally(() => { signal.removeEventListener('abort', abort) })
  })
}

/**
 * Lets no request begin after its deadline. A timer alone does not: in a process that was stopped and goes on, Node serves the
 * sockets before the timers, and a request that had waited for a connection would be sent late.
 */
export function createDeadlineInterceptor (clock: Clock): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const { opaque } = options as { opaque?: RequestDeadline }
    return dispatch(options, opaque === undefined ? handler : refuseLate(handler, () => clock.monotonicMs() >= opaque.deadlineMs))
  }
}

function refuseLate (handler: Dispatcher.DispatchHandler, isLate: () => boolean): Dispatcher.DispatchHandler {
  return {
    onRequestStart (controller, context) {
      if (isLate()) controller.abort(createTimeoutError())
      else handler.onRequestStart?.(controller, context)
    },
    onResponseStart: (...start) => handler.onResponseStart?.(...start),
    onResponseData: (...data) => handler.onResponseData?.(...data),
    onResponseEnd: (...end) => handler.onResponseEnd?.(...end),
    onResponseError: (...failure) => handler.onResponseError?.(...failure)
  }
}

/** The error of a call that took too long. */
export function createTimeoutError (): KubeError {
  return new KubeError({ status: 0, reason: 'CallTimeout', message: 'the API server did not answer in time' })
}
