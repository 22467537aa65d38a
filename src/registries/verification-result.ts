import type { UnreachableServer } from './registry-endpoint.ts'
import type { RegistryUnreachable, UnreachableReason } from './registry-transport.ts'

/** What is known of a credential after it was tried. */
export interface VerificationResult {
  /** `unknown` says nothing against the credential. */
  verdict: 'accepted' | 'rejected' | 'unknown'
  /** A stable code. */
  reason: VerificationReason
  /** What happened and what to do, for people; it holds neither a secret nor what a server wrote in a body. */
  message: string
}

/** Stable codes of what happened, for metrics and conditions. */
export type VerificationReason = UnreachableServer | UnreachableReason | 'accepted' | 'rejected' | 'token-rejected' | 'anonymous' | 'no-challenge' |
  'foreign-realm' | 'malformed-token' | 'redirect' | 'unexpected-status'

const MESSAGES: Record<VerificationReason, string> = {
  accepted: 'the registry accepts the credential',
  rejected: 'the registry refuses the credential; renew it at its source',
  'token-rejected': 'the token server knows the credential, but the registry refuses the token that it gave; check what the credential may do, and the registry\'s clock and token settings',
  anonymous: 'the registry answers without a credential, so none can be tried; set verify: false to say that this is known',
  'no-challenge': 'the registry asks for a credential in no way that is known (Basic, Bearer); set verify: false if it works all the same',
  'foreign-realm': 'the registry names a token server that may not be sent the credential; if it is yours and speaks https, list its host in allowedRealms',
  'malformed-token': 'the token server gave no token that can be read; try again later, or ask those who run it',
  redirect: 'the registry answers with a redirect, which is never followed with a credential; write the host that it leads to as the server',
  'unexpected-status': 'the registry gave an answer that says nothing about the credential; it will be tried again',
  glob: 'a server with a glob stands for many registries and can not be tried; write one registry\'s own host to have it verified',
  'not-https': 'a credential is never sent over http; write the server without http://',
  'invalid-server': 'the server is no host that can be asked; write host[:port][/path]',
  timeout: 'the registry did not answer in time; check network policies, NO_PROXY and HTTPS_PROXY',
  tls: 'the registry\'s certificate is not trusted or TLS failed; set caFile to the bundle of its CA, or check the host name',
  proxy: 'the proxy did not lead to the registry; check HTTPS_PROXY and NO_PROXY',
  oversized: 'the registry\'s answer is too large to be one',
  unreachable: 'the registry can not be reached; check its name, DNS and network policies'
}

/** The result for a reason; `detail` must be safe to show. */
export function concludeVerification (reason: VerificationReason, detail?: string): VerificationResult {
  const message = detail === undefined ? MESSAGES[reason] : `${MESSAGES[reason]} (${detail})`
  return { verdict: judge(reason), reason, message }
}

/** The result of an answer whose status says nothing about the credential. */
export function concludeFromStatus (status: number): VerificationResult {
  const isRedirect = status >= 300 && status < 400
  return concludeVerification(isRedirect ? 'redirect' : 'unexpected-status', `HTTP ${status}`)
}

/** The result of a conversation that broke off. */
export function concludeFromFailure ({ reason, code }: RegistryUnreachable): VerificationResult {
  return concludeVerification(reason, code)
}

function judge (reason: VerificationReason): VerificationResult['verdict'] {
  if (reason === 'accepted') return 'accepted'
  return reason === 'rejected' || reason === 'token-rejected' ? 'rejected' : 'unknown'
}
