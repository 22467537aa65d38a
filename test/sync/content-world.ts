import { SourceError } from '../../src/core/credential-source.ts'
import { formatObjectKey, type Secret } from '../../src/core/kube-object.ts'
import type { PullSecret, RegistryCredential } from '../../src/core/pull-secret-config.ts'
import { createCredentialSource } from '../../src/registries/credential-sources.ts'
import type { VerificationRequest } from '../../src/registries/registry-verification.ts'
import { concludeVerification, type VerificationReason } from '../../src/registries/verification-result.ts'
import { formatSourceView } from '../../src/sync/cluster-view.ts'
import type { ContentResolver } from '../../src/sync/content-resolution.ts'
import { createSourceReader } from '../../src/sync/source-reader.ts'
import { createSecret } from '../helpers/copies.ts'
import { createPullSecret } from '../helpers/policies.ts'

/** Sources and registries whose state a test writes. */
export interface ContentWorld {
  resolver: ContentResolver
  /** Secrets by `namespace/name`; the values are texts. */
  secrets: Map<string, Record<string, string | Buffer>>
  /** Views that the API server refuses to show. */
  forbidden: Set<string>
  /** Views that have not been listed yet. */
  unseen: Set<string>
  files: Map<string, string>
  /** What a registry says, by server; the rest accept. */
  answers: Map<string, VerificationReason>
  /** Every credential that was tried. */
  tried: VerificationRequest[]
  /** How registries answer; a test may put something else here. */
  verify: ContentResolver['verify']
}

/** Makes a world in which nothing exists and every registry accepts. */
export function createContentWorld (): ContentWorld {
  const secrets: ContentWorld['secrets'] = new Map()
  const files: ContentWorld['files'] = new Map()
  const forbidden = new Set<string>()
  const unseen = new Set<string>()
  const answers: ContentWorld['answers'] = new Map()
  const tried: VerificationRequest[] = []

  function readSecret (key: string): Secret | undefined {
    const data = secrets.get(key)
    const encoded = Object.entries(data ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')])
    return data && createSecret({ data: Object.fromEntries(encoded) })
  }

  const sources = createSourceReader({
    source: (source) => readSecret(formatObjectKey(source)),
    isReady: (view) => !forbidden.has(view) && !unseen.has(view),
    isForbidden: (view) => forbidden.has(view)
  }, {
    read (file) {
      const content = files.get(file)
      if (content === undefined) throw new SourceError('SourceMissing', `${file}: no such file; mount it`)
      return Buffer.from(content)
    }
  })
  const resolver: ContentResolver = {
    sources,
    createSource: (credential) => createCredentialSource(credential, sources),
    verify: async (request) => world.verify(request)
  }
  const world: ContentWorld = {
    resolver,
    secrets,
    forbidden,
    unseen,
    files,
    answers,
    tried,
    async verify (request) {
      tried.push(request)
      return concludeVerification(answers.get(request.server) ?? 'accepted')
    }
  }
  return world
}

/** A registry whose password stands in the Secret `platform/NAME` under the key `password`. */
export function createRegistry (name: string, parts: Partial<RegistryCredential> = {}): RegistryCredential {
  return {
    servers: [`${name}.io`],
    credential: { basic: { username: 'puller', passwordFrom: { secret: { namespace: 'platform', name, key: 'password' } } } },
    verify: true,
    ...parts
  }
}

/** The view of the Secret `platform/NAME`. */
export function formatView (name: string): string {
  return formatSourceView({ namespace: 'platform', name })
}

/** A pull secret of these registries. */
export function createRegistriesSecret (...registries: RegistryCredential[]): PullSecret {
  return createPullSecret({ registries })
}

/** A pull secret that copies the Secret `platform/registry`. */
export function createCopiedSecret (): PullSecret {
  return createPullSecret({ copyFrom: { secret: { namespace: 'platform', name: 'registry' } } })
}

/** The passwords in a content, by server. */
export function readPasswords (data: string | undefined): Record<string, string> | undefined {
  if (data === undefined) return undefined
  const { auths } = JSON.parse(Buffer.from(data, 'base64').toString()) as { auths: Record<string, { password: string }> }
  return Object.fromEntries(Object.entries(auths).map(([server, { password }]) => [server, password]))
}
