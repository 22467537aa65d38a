import { get } from 'node:http'
import { Agent, request } from 'node:https'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

/** An answer, read to its end. */
export interface Answer {
  status: number
  body: string
}

/** The path that the API server posts to: it appends its timeout. */
export const REVIEW_PATH = '/mutate?timeout=3s'

/** Posts one review over a connection of its own. */
export async function postReview (url: string, review: Buffer, caCertificate: string): Promise<Answer> {
  const agent = new Agent({ ca: caCertificate })
  const outgoing = request(`${url}${REVIEW_PATH}`, { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': review.length } })
  outgoing.end(review)
  return readAnswer(await once(outgoing, 'response') as [IncomingMessage])
}

/** Gets a page over HTTPS. */
export async function getPage (url: string, caCertificate: string): Promise<Answer> {
  return readAnswer(await once(request(url, { agent: new Agent({ ca: caCertificate }) }).end(), 'response') as [IncomingMessage])
}

/** Gets a page over plain HTTP. */
export async function getPlainPage (url: string): Promise<Answer> {
  return readAnswer(await once(get(url, { agent: false }), 'response') as [IncomingMessage])
}

async function readAnswer ([response]: [IncomingMessage]): Promise<Answer> {
  return { status: response.statusCode ?? 0, body: await text(response) }
}
