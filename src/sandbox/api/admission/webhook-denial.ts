import type { UnknownObject } from '../../../core/unknown.ts'
import { asObject } from '../../../core/unknown.ts'
import { numberAt, textAt } from '../objects/kubernetes-object.ts'
import { StatusError } from '../status-error.ts'

const DEFAULT_CODE = 400

/**
 * The refusal that a client sees when a webhook answers `allowed: false`: the webhook's own Status with a prefix.
 * A code below 400 becomes 400, and no reason is added (apiserver/pkg/admission/plugin/webhook/errors).
 */
export function createDenial (webhookName: string, status: UnknownObject | undefined): StatusError {
  const denied = `admission webhook "${webhookName}" denied the request`
  const reason = textAt(status, 'reason')
  const explanation = textAt(status, 'message') || reason
  const code = numberAt(status, ['code'], 0)
  return new StatusError(
    code < DEFAULT_CODE ? DEFAULT_CODE : code,
    reason,
    explanation === '' ? `${denied} without explanation` : `${denied}: ${explanation}`,
    asObject(status?.details)
  )
}
