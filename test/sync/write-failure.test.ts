import t from 'tap'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import { describeWriteFailure, isClusterTrouble } from '../../src/sync/write-failure.ts'

const cases: [string, { status: number, reason: string, message: string }, RegExp, boolean][] = [
  ['a right that is missing', { status: 403, reason: 'Forbidden', message: 'secrets "x" is forbidden: User "u" cannot patch resource "secrets" in API group "" in the namespace "team-a"' }, /^the worker lacks the right; apply .*pullkeeper manifests --only rbac$/, false],
  ['a webhook that refuses', { status: 403, reason: 'Forbidden', message: 'admission webhook "policy.example.com" denied the request: no' }, /^the admission webhook policy.example.com refuses it; /, false],
  ['a webhook that refuses with 500', { status: 500, reason: 'InternalError', message: 'admission webhook "policy.example.com" denied the request: no' }, /refuses it/, false],
  ['a webhook that can not be called', { status: 500, reason: 'InternalError', message: 'Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: Post "https://x": dial tcp: refused' }, /^the admission webhook policy.example.com can not be called; /, false],
  ['a policy that refuses', { status: 422, reason: 'Invalid', message: 'secrets "x" is forbidden: ValidatingAdmissionPolicy \'no-secrets\' with binding \'b\' denied request: no' }, /^the ValidatingAdmissionPolicy no-secrets refuses it; /, false],
  ['a quota', { status: 403, reason: 'Forbidden', message: 'secrets "x" is forbidden: exceeded quota: q, requested: count/secrets=1' }, /ResourceQuota/, false],
  ['another refusal', { status: 403, reason: 'Forbidden', message: 'secrets "x" is forbidden: because' }, /^Forbidden \(HTTP 403\)$/, false],
  ['a conflict', { status: 409, reason: 'Conflict', message: 'x' }, /^Conflict \(HTTP 409\)$/, false],
  ['a reason that is none', { status: 400, reason: 'no such thing', message: 'x' }, /^refused \(HTTP 400\)$/, false],
  ['no answer', { status: 0, reason: 'Unreachable', message: 'x' }, /^Unreachable \(HTTP 0\)$/, true],
  ['a token that has expired', { status: 401, reason: 'Unauthorized', message: 'x' }, /^Unauthorized/, true],
  ['too many requests', { status: 429, reason: 'TooManyRequests', message: 'x' }, /^TooManyRequests/, true],
  ['an error of the API server', { status: 500, reason: 'InternalError', message: 'x' }, /^InternalError/, true],
  ['an API server that is not ready', { status: 503, reason: 'ServiceUnavailable', message: 'x' }, /^ServiceUnavailable/, true]
]

for (const [name, details, description, isTrouble] of cases) {
  t.test(`${name} is told, and ${isTrouble ? 'concerns all writes' : 'concerns this write only'}`, async (t) => {
    const error = new KubeError(details)
    t.match(describeWriteFailure(error), description)
    t.equal(isClusterTrouble(error), isTrouble)
  })
}
