import { SourceError, type CredentialSource, type ValueReader } from '../core/credential-source.ts'
import type { Credential } from '../core/pull-secret-config.ts'
import { createBasicSource } from './basic-credential.ts'

/** Makes the source of a credential as the configuration describes it. */
export function createCredentialSource ({ basic }: Credential, values: ValueReader): CredentialSource {
  if (basic !== undefined) return createBasicSource(basic, values)
  return {
    async resolve () {
      throw new SourceError('SourceUnsupported', 'this release can not get credentials of this kind; use basic or copyFrom')
    }
  }
}
