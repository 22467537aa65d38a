import t from 'tap'
import { hasStatus, KubeError, MAX_RETRY_AFTER_MS, parseStatusError } from '../../src/kubernetes/kube-error.ts'

void t.test('a Status tells its reason, message and causes', async (t) => {
  const error = parseStatusError(403, {
    kind: 'Status',
    status: 'Failure',
    reason: 'Forbidden',
    message: 'secrets "acr-pull" is forbidden: namespace team-a is being terminated',
    details: { name: 'acr-pull', causes: [{ reason: 'NamespaceTerminating', message: 'namespace team-a is being terminated' }, {}, 7] }
  }, undefined)
  t.match(error, { name: 'KubeError', status: 403, reason: 'Forbidden', causes: ['NamespaceTerminating'], retryAfterMs: undefined })
  t.match(error.message, /is being terminated/)
})

for (const body of [undefined, null, 'Bad Gateway', [], {}, { reason: 7, message: {}, details: { causes: 'x' } }]) {
  void t.test(`an answer that is ${JSON.stringify(body)} is described by its HTTP status`, async (t) => {
    const error = parseStatusError(502, body, undefined)
    t.match(error, { status: 502, reason: 'HTTP502', message: 'the API server answered with HTTP status 502', causes: [] })
  })
}

const RETRY_AFTER: { header?: string, details?: unknown, expectedMs: number | undefined }[] = [
  { expectedMs: undefined },
  { header: '0', expectedMs: 0 },
  { header: '7', expectedMs: 7_000 },
  { header: '7', details: 3, expectedMs: 7_000 },
  { details: 3, expectedMs: 3_000 },
  { header: 'Sat, 31 Jan 2026 12:00:00 GMT', details: 3, expectedMs: 3_000 },
  { header: '', expectedMs: undefined },
  { header: '-1', expectedMs: undefined },
  { header: '1e9', expectedMs: undefined },
  { details: 'soon', expectedMs: undefined },
  { header: '86400', expectedMs: MAX_RETRY_AFTER_MS },
  { header: '9'.repeat(400), expectedMs: MAX_RETRY_AFTER_MS }
]
for (const { header, details, expectedMs } of RETRY_AFTER) {
  void t.test(`Retry-After ${header ?? 'absent'}, details ${details === undefined ? 'absent' : JSON.stringify(details)}: ${expectedMs ?? 'no'} ms`, async (t) => {
    t.equal(parseStatusError(429, { details: { retryAfterSeconds: details } }, header).retryAfterMs, expectedMs)
  })
}

void t.test('hasStatus knows errors of the API only', async (t) => {
  const error = new KubeError({ status: 409, reason: 'Conflict', message: 'changed' })
  t.equal(hasStatus(error, 404, 409), true)
  t.equal(hasStatus(error, 404), false)
  t.equal(hasStatus(Object.assign(new Error('no'), { status: 409 }), 409), false)
  t.equal(hasStatus(undefined, 409), false)
})
