import t from 'tap'
import type { PullSecret, RegistryCredential } from '../../src/core/pull-secret-config.ts'
import { describeSource } from '../../src/core/pull-secret-source.ts'

const SECRET = { namespace: 'platform', name: 'registry', key: 'password' }
const registry = (credential: RegistryCredential['credential']): RegistryCredential => ({ servers: ['a.io'], credential, verify: true })
const basic = (passwordFrom: { secret?: typeof SECRET, file?: string }): RegistryCredential => registry({ basic: { username: 'test-user-1', passwordFrom } })

const cases: [string, Pick<PullSecret, 'copyFrom' | 'registries'>, string][] = [
  ['a Secret that is copied', { copyFrom: { secret: { namespace: 'default', name: 'all-icr-io' } } }, 'copy of Secret default/all-icr-io'],
  ['a file that is copied', { copyFrom: { file: '/etc/pullkeeper/config.json' } }, 'copy of file /etc/pullkeeper/config.json'],
  ['a password in a Secret', { registries: [basic({ secret: SECRET })] }, 'basic from Secret platform/registry'],
  ['a password in a file', { registries: [basic({ file: '/etc/password' })] }, 'basic from file /etc/password'],
  ['a cloud identity', { registries: [registry({ azure: { identity: 'workloadIdentity' } })] }, 'azure workloadIdentity'],
  ['several, each once', { registries: [basic({ secret: SECRET }), basic({ file: '/etc/password' }), basic({ secret: SECRET })] }, 'basic from Secret platform/registry, basic from file /etc/password']
]

for (const [name, pullSecret, expected] of cases) {
  t.test(`${name} is named as the source, without a credential`, async (t) => {
    t.equal(describeSource(pullSecret), expected)
  })
}
