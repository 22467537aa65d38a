import type { KubeError } from '../kubernetes/kube-error.ts'

const MAX_NAME = 253

/**
 * Says why a write was refused without the API server's own words, which may repeat what was written: an admission webhook can
 * put anything there.
 */
export function describeWriteFailure ({ status, reason, message }: KubeError): string {
  const [, webhook] = /admission webhook "([-a-z0-9.]{1,253})"/.exec(message) ?? []
  if (webhook !== undefined) return `the admission webhook ${webhook.slice(0, MAX_NAME)} refuses it; ask those who run it`
  if (/exceeded quota/.test(message)) return 'a ResourceQuota of the namespace allows no more Secrets; raise it'
  if (status === 403) return 'the worker lacks the right; apply the rights of this configuration: pullkeeper manifests --only rbac'
  return `${reason} (HTTP ${status})`
}

/** Whether an error says that the API server as a whole is in trouble, so that other calls would fail, too. */
export function isClusterTrouble ({ status }: KubeError): boolean {
  return status === 0 || status === 401 || status === 429 || status >= 500
}
