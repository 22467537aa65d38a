import t from 'tap'
import { SourceError, type ValueReader } from '../../src/core/credential-source.ts'
import type { BasicCredential } from '../../src/core/pull-secret-config.ts'
import { createBasicSource } from '../../src/registries/basic-credential.ts'
import { createCredentialSource } from '../../src/registries/credential-sources.ts'

const values = new Map([['/user', 'test-user-1'], ['/password', 'test-password-1'], ['platform/registry password', 'test-password-2']])

const reader: ValueReader = {
  read ({ secret, file = '' }) {
    const place = secret === undefined ? file : `${secret.namespace}/${secret.name} ${secret.key}`
    const value = values.get(place)
    if (value === undefined) throw new SourceError('SourceMissing', `${place} is missing`)
    return value
  }
}

const cases: [string, BasicCredential, { username: string, password: string }][] = [
  ['a user name of the configuration', { username: 'puller', passwordFrom: { file: '/password' } }, { username: 'puller', password: 'test-password-1' }],
  ['a user name from a file', { usernameFrom: { file: '/user' }, passwordFrom: { file: '/password' } }, { username: 'test-user-1', password: 'test-password-1' }],
  ['a password from a Secret', { username: 'puller', passwordFrom: { secret: { namespace: 'platform', name: 'registry', key: 'password' } } }, { username: 'puller', password: 'test-password-2' }]
]

for (const [name, basic, expected] of cases) {
  t.test(`${name} makes a credential without an end`, async (t) => {
    t.strictSame(await createBasicSource(basic, reader).resolve(), expected)
    t.strictSame(await createCredentialSource({ basic }, reader).resolve(), expected)
  })
}

t.test('each resolution reads anew', async (t) => {
  const source = createBasicSource({ username: 'puller', passwordFrom: { file: '/rotated' } }, reader)
  await t.rejects(source.resolve(), { name: 'SourceError', reason: 'SourceMissing' })
  values.set('/rotated', 'test-password-3')
  t.equal((await source.resolve()).password, 'test-password-3')
})

t.test('a credential of a kind that this release does not know is refused by name', async (t) => {
  await t.rejects(createCredentialSource({ azure: { identity: 'workloadIdentity' } }, reader).resolve(), { name: 'SourceError', reason: 'SourceUnsupported' })
})
