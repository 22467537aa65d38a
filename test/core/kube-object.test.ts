import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { formatObjectKey, isOlderVersion } from '../../src/core/kube-object.ts'

t.test('versions are compared as the numbers that they are, however large', async () => {
  const version = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.bigInt({ min: 95n, max: 105n }))
  fc.assert(fc.property(version, version, (a, b) => {
    assert.equal(isOlderVersion(String(a), String(b)), a < b)
  }))
})

t.test('the key of an object names its namespace, if it stands in one', async (t) => {
  t.equal(formatObjectKey({ namespace: 'team-a', name: 'x' }), 'team-a/x')
  t.equal(formatObjectKey({ name: 'x' }), '/x')
})
