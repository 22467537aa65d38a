import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { digestAuths } from '../../src/core/docker-config.ts'
import type { Secret } from '../../src/core/kube-object.ts'
import { createManagedSecret, hashContent, observeSecret, type ObservedCopy } from '../../src/core/managed-secret.ts'
import { createContent, createCopy, createSecret, encodeDockerConfig, type SecretParts } from '../helpers/copies.ts'

const OURS = { labels: { 'app.kubernetes.io/managed-by': 'pullkeeper' } }

t.test('what is applied is exactly what is ours', async (t) => {
  const content = createContent({ expiresAt: '2026-02-01T00:00:00.000Z', verified: 'accepted' })
  t.strictSame(createManagedSecret('example-pull', 'team-a', content), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'example-pull',
      namespace: 'team-a',
      labels: { 'app.kubernetes.io/managed-by': 'pullkeeper' },
      annotations: {
        'pullkeeper.dev/content-hash': content.hash,
        'pullkeeper.dev/source': 'copy of Secret platform/registry',
        'pullkeeper.dev/expires-at': '2026-02-01T00:00:00.000Z',
        'pullkeeper.dev/verified': 'accepted'
      }
    },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': encodeDockerConfig() }
  })
})

t.test('what is not known is not noted', async (t) => {
  const { metadata } = createManagedSecret('example-pull', 'team-a', createContent()) as Secret
  t.strictSame(Object.keys(metadata.annotations ?? {}), ['pullkeeper.dev/content-hash', 'pullkeeper.dev/source'])
})

t.test('what was applied is seen as ours and as it should be', async (t) => {
  const content = createContent()
  t.strictSame(observeSecret(createCopy('team-a', '7', { content })), {
    uid: 'uid-of-team-a', resourceVersion: '7', hash: content.hash, isOwned: true, hasWrongType: false, isImmutable: false, isBeingDeleted: false, foreignKeys: []
  })
})

const seen: [string, SecretParts, Partial<ObservedCopy>][] = [
  ['without the label it is not ours', {}, { isOwned: false, authsDigest: digestAuths(Buffer.from(encodeDockerConfig(), 'base64')) }],
  ['nor with another one', { metadata: { labels: { 'app.kubernetes.io/managed-by': 'Helm' } } }, { isOwned: false }],
  ['the annotations make nothing ours', { metadata: { annotations: { 'pullkeeper.dev/content-hash': createContent().hash, 'pullkeeper.dev/source': 'x' } } }, { isOwned: false }],
  ['another type can be told', { metadata: OURS, type: 'Opaque' }, { isOwned: true, hasWrongType: true }],
  ['so can no type', { metadata: OURS, type: '' }, { hasWrongType: true }],
  ['and an immutable one', { metadata: OURS, immutable: true }, { isImmutable: true }],
  ['and one that is being deleted', { metadata: { ...OURS, deletionTimestamp: '2026-01-31T12:00:00Z' } }, { isBeingDeleted: true }],
  ['foreign keys are named', { metadata: OURS, data: { a: '', '.dockerconfigjson': '', b: '' } }, { foreignKeys: ['a', 'b'] }],
  ['one without data is seen, too', { metadata: OURS, data: {} }, { hash: hashContent(''), foreignKeys: [] }],
  ['a foreign content that the kubelet can not read means nothing', { data: { '.dockerconfigjson': 'e30K!' } }, { isOwned: false, authsDigest: digestAuths(Buffer.from('{}')) }],
  ['a foreign content that is no JSON means nothing', { data: { '.dockerconfigjson': Buffer.from('{').toString('base64') } }, { authsDigest: undefined }]
]

for (const [name, parts, expected] of seen) {
  t.test(name, async (t) => {
    t.match(observeSecret(createSecret(parts)), expected)
  })
}

t.test('nothing of the data stays', async (t) => {
  const secret = createSecret({ data: { '.dockerconfigjson': encodeDockerConfig('test-password-7'), key: 'dGVzdC1wYXNzd29yZC04' } })
  t.notMatch(JSON.stringify(observeSecret(secret)), /test-password|dGVzdC1wYXNzd29yZC04/)
  t.notMatch(JSON.stringify(observeSecret(secret)), secret.data?.['.dockerconfigjson'] ?? '')
})

t.test('the hash covers type, content and label, and parts them', async () => {
  const part = fc.string({ maxLength: 8 })
  fc.assert(fc.property(part, part, part, part, part, part, (data, type, label, otherData, otherType, otherLabel) => {
    const isSame = data === otherData && type === otherType && label === otherLabel
    assert.equal(hashContent(data, type, label) === hashContent(otherData, otherType, otherLabel), isSame)
  }))
})

t.test('the hash covers nothing else: what others add does not make us write', async () => {
  const texts = fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.string({ maxLength: 8 }))
  const { hash } = observeSecret(createCopy('team-a', '1'))
  fc.assert(fc.property(texts, texts, texts, fc.string(), flags(), (keys, labels, annotations, uid, [immutable, isDeleted]) => {
    const copy = createCopy('team-b', '2')
    const changed: Secret = {
      ...copy,
      immutable,
      data: { ...keys, ...copy.data },
      metadata: { ...copy.metadata, uid, labels: { ...labels, ...copy.metadata.labels }, annotations, ...(isDeleted && { deletionTimestamp: '2026-01-31T12:00:00Z' }) }
    }
    assert.equal(observeSecret(changed).hash, hash)
  }))
})

function flags (): fc.Arbitrary<[boolean, boolean]> {
  return fc.tuple(fc.boolean(), fc.boolean())
}
