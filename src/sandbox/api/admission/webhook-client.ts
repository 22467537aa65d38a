import { Agent, request, type RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { RegisteredWebhook } from './webhook-registration.ts'

/** Calls webhooks over connections that stay open between calls. */
export interface WebhookClient {
  /** Posts a review and returns the parsed answer; rejects with the API server's words for what went wrong. */
  post: (webhook: RegisteredWebhook, review: object) => Promise<unknown>
  close: () => void
}

/** Makes the client: TLS is verified against the caBundle, with the URL's host as the name. */
export function createWebhookClient (): WebhookClient {
  const agent = new Agent({ keepAlive: true })
  let isClosed = false
  return {
    async post (webhook, review) {
      if (isClosed) throw new Error('failed to call webhook: the API server is shutting down')
      if (webhook.url === '') throw new Error('failed to call webhook: there are no Services here, use clientConfig.url')
      const url = new URL(webhook.url)
      url.searchParams.set('timeout', `${webhook.timeoutSeconds}s`)
      const { statusCode, body } = await send(url, { agent, ...(webhook.caBundle !== '' && { ca: webhook.caBundle }) }, JSON.stringify(review), webhook.timeoutSeconds * 1000)
      if (statusCode < 200 || statusCode > 299) throw new Error(`failed to call webhook: ${describeFailure(statusCode, body)}`)
      return parseAnswer(body)
    },
    close () {
      isClosed = true
      agent.destroy()
    }
  }
}

interface Answer {
  statusCode: number
  body: string
}

async function send (url: URL, options: RequestOptions, body: string, timeoutMs: number): Promise<Answer> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), timeoutMs)
  try {
    return await sendOnce(url, { ...options, signal: abort.signal }, body)
  } catch (error) {
    const why = abort.signal.aborted ? 'context deadline exceeded' : (error as Error).message
    throw new Error(`failed to call webhook: Post "${url.href}": ${why}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

/** A connection that the webhook closed while it was idle says nothing about this request: it is sent once more, as Go does. */
async function sendOnce (url: URL, options: RequestOptions, body: string, retried = false): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const outgoing = request(url, {
    ...options,
    method: 'POST',
    headers: { accept: 'application/json, */*', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'user-agent': 'kube-apiserver-admission' }
  })
  outgoing.once('response', resolve).on('error', reject).end(body)
  try {
    const response = await promise
    return { statusCode: response.statusCode ?? 0, body: await text(response) }
  } catch (error) {
    if (retried || !outgoing.reusedSocket || (error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
    return sendOnce(url, options, body, true)
  }
}

function describeFailure (statusCode: number, body: string): string {
  if (statusCode === 404) return 'the server could not find the requested resource'
  if (statusCode >= 500) return `an error on the server (${JSON.stringify(body)}) has prevented the request from succeeding`
  return `the server rejected our request for an unknown reason (status ${statusCode})`
}

function parseAnswer (body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Error("failed to call webhook: couldn't get version/kind; json parse error: invalid JSON")
  }
}
