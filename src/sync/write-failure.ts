import type { KubeError } from '../kubernetes/kube-error.ts'

/** In the messages of the API server's admission plugins; the names are those of Kubernetes objects. */
const WEBHOOK = /(admission|calling|call) webhook "([-a-z0-9.]{1,253})"/
const POLICY = /ValidatingAdmissionPolicy '([-a-z0-9.]{1,253})'/
const RIGHT = /cannot [a-z]+ resource "/

/**
 * Says why a write was refused without the API server's own words, which may repeat what was written: an admission webhook can
 * put anything there, also into the reason.
 */
export function describeWriteFailure ({ status, reason, message }: KubeError): string {
  const [, verb, webhook] = WEBHOOK.exec(message) ?? []
  if (webhook !== undefined) return `the admission webhook ${webhook} ${verb === 'admission' ? 'refuses it' : 'can not be called'}; ask those who run it`
  const [, policy] = POLICY.exec(message) ?? []
  if (policy !== undefined) return `the ValidatingAdmissionPolicy ${policy} refuses it; ask those who wrote it`
  if (/exceeded quota/.test(message)) return 'a ResourceQuota of the namespace allows no more Secrets; raise it'
  if (status === 403 && RIGHT.test(message)) return 'the worker lacks the right; apply the rights of this configuration: pullkeeper manifests --only rbac'
  return `${/^[A-Za-z0-9]{1,40}$/.test(reason) ? reason : 'refused'} (HTTP ${status})`
}

/** Whether an error says that the API server as a whole is in trouble, so that other calls would fail, too; one webhook's is not. */
export function isClusterTrouble ({ status, message }: KubeError): boolean {
  return (status === 0 || status === 401 || status === 429 || status >= 500) && !WEBHOOK.test(message)
}
