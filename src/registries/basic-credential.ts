import type { CredentialSource, ValueReader } from '../core/credential-source.ts'
import type { BasicCredential } from '../core/pull-secret-config.ts'

/** A user name and a password that stand somewhere: in the configuration (the name), in a Secret, or in a mounted file. */
export function createBasicSource ({ username, usernameFrom, passwordFrom }: BasicCredential, values: ValueReader): CredentialSource {
  return {
    async resolve () {
      return {
        username: usernameFrom === undefined ? username ?? '' : values.read(usernameFrom),
        password: values.read(passwordFrom)
      }
    }
  }
}
