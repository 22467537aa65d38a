import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { createCertificateAuthority, issueCertificate } from '../../src/tls/certificates.ts'

/** What a test webhook is asked, as far as tests look at it. */
export interface ReviewRequest {
  uid: string
  operation: string
  dryRun: boolean
  name?: string
  namespace?: string
  userInfo: { username: string }
  object: { metadata: { name?: string, uid?: string }, spec: { containers: { name: string }[], imagePullSecrets?: { name: string }[] } } | null
}

/** One call that arrived. */
export interface WebhookCall {
  path: string
  apiVersion: string
  request: ReviewRequest
}

/** A webhook of a test: its answers by path, and the calls that came. */
export interface WebhookDouble {
  calls: WebhookCall[]
  /** An entry of a MutatingWebhookConfiguration that points at a path. */
  entry: (name: string, path: string, extra?: object) => object
}

/** Makes the response (without its uid) from a request, or null to answer HTTP 500. */
export type Respond = (request: ReviewRequest) => object | null

/** The part of a response that carries a JSON Patch. */
export function patchOf (...operations: object[]): object {
  return { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') }
}

/** Starts an HTTPS webhook that ends with the test. */
export async function startWebhookDouble (t: { teardown: (end: () => Promise<void>) => unknown }, answers: Record<string, Respond>): Promise<WebhookDouble> {
  const validity = { notBefore: new Date(Date.now() - 60_000), days: 1 }
  const authority = await createCertificateAuthority({ ...validity, commonName: 'webhook double' })
  const { certificate, privateKey } = await issueCertificate(authority, { ...validity, commonName: 'webhook', names: ['127.0.0.1'], usage: 'serverAuth' })
  const calls: WebhookCall[] = []
  const server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
    void json(request).then((body) => {
      const review = body as { apiVersion: string, request: ReviewRequest }
      calls.push({ path: request.url ?? '', apiVersion: review.apiVersion, request: review.request })
      const answer = answers[(request.url ?? '').split('?')[0] ?? '']?.(review.request) ?? null
      if (answer === null) response.writeHead(500).end('boom')
      else response.setHeader('content-type', 'application/json').end(JSON.stringify({ apiVersion: review.apiVersion, kind: 'AdmissionReview', response: { uid: review.request.uid, ...answer } }))
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return {
    calls,
    entry: (name, path, extra = {}) => ({
      name: `${name}.double.test`,
      clientConfig: { url: `https://127.0.0.1:${port}${path}`, caBundle: Buffer.from(authority.certificate).toString('base64') },
      rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      timeoutSeconds: 5,
      ...extra
    })
  }
}
