import type { Credential, PullSecretConfig, SecretReference, ValueSource } from './pull-secret-config.ts'

/**
 * Every Secret that the configuration takes content from, each once, by namespace and name. The worker reads these and
 * never writes them.
 */
export function listSourceSecrets (config: Pick<PullSecretConfig, 'pullSecrets'>): SecretReference[] {
  const references = config.pullSecrets.flatMap(({ copyFrom, registries = [] }) => [
    copyFrom?.secret,
    ...registries.flatMap(({ credential }) => listValueSources(credential).map(({ secret }) => secret))
  ])
  const sources = new Map<string, SecretReference>()
  for (const reference of references) {
    if (reference !== undefined) sources.set(`${reference.namespace}/${reference.name}`, { namespace: reference.namespace, name: reference.name })
  }
  return [...sources.keys()].toSorted().flatMap((key) => sources.get(key) ?? [])
}

/** Where the values of a credential come from. */
export function listValueSources ({ basic }: Credential): ValueSource[] {
  return [basic?.usernameFrom, basic?.passwordFrom].filter((source) => source !== undefined)
}
