import type { SecretReference, ValueSource } from './pull-secret-config.ts'

/** A user name and a password as a registry takes them. */
export interface RegistryLoginCredential {
  username: string
  password: string
  /** When it ends, in milliseconds since 1970; absent = not known, or never. */
  expiresAtMs?: number
}

/** Where a credential comes from; one implementation for each kind. */
export interface CredentialSource {
  /** The credential as it is now; rejects with a SourceError. */
  resolve: () => Promise<RegistryLoginCredential>
}

/** Reads values that a configuration points to; throws a SourceError. */
export interface ValueReader {
  read: (source: ValueSource) => string
}

/** Why a source gives nothing that can be used: stable codes for metrics and Events. */
export type SourceFailureReason =
  | 'SourceMissing'
  | 'SourceForbidden'
  | 'SourceUnreadable'
  | 'SourceMalformed'
  | 'SourceUnsupported'
  | 'CredentialRejected'
  | 'CredentialUnverified'

/** A source that gives nothing usable; the message says what to do and holds nothing secret. */
export class SourceError extends Error {
  override name = 'SourceError'
  readonly reason: SourceFailureReason
  /** The Secret that is at fault, if it is one. */
  readonly source: SecretReference | undefined

  constructor (reason: SourceFailureReason, message: string, source?: SecretReference) {
    super(message)
    this.reason = reason
    this.source = source
  }
}
