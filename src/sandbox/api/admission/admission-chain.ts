import type { AdmissionAttributes } from './admission-attributes.ts'
import { dispatchMutatingWebhooks, startReinvocation } from './mutating-webhooks.ts'
import { checkNamespaceLifecycle } from './namespace-lifecycle.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { admitPodDefaults } from './pod-admission.ts'
import { admitServiceAccount, validateServiceAccount } from './service-account-admission.ts'
import type { WebhookClient } from './webhook-client.ts'

/** The two phases of admission. Both refuse by throwing a StatusError. */
export interface AdmissionChain {
  /** Changes `attributes.object`. */
  mutate: (attributes: AdmissionAttributes) => Promise<void>
  /** Judges the object as it will be stored. */
  validate: (attributes: AdmissionAttributes) => void
}

/**
 * Puts the plugins into the API server's order: NamespaceLifecycle, ServiceAccount, Priority and DefaultTolerationSeconds, then the
 * mutating webhooks. When a webhook changed something, the whole chain runs once more, and in it those webhooks that asked for it.
 * https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#reinvocation-policy
 */
export function createAdmissionChain (store: ObjectStore, client: WebhookClient): AdmissionChain {
  function runPlugins (attributes: AdmissionAttributes): void {
    checkNamespaceLifecycle(store, attributes)
    admitServiceAccount(store, attributes)
    admitPodDefaults(attributes)
  }
  return {
    async mutate (attributes) {
      const reinvocation = startReinvocation()
      runPlugins(attributes)
      await dispatchMutatingWebhooks(store, client, attributes, reinvocation)
      if (!reinvocation.isRequested) return
      reinvocation.round = 1
      runPlugins(attributes)
      await dispatchMutatingWebhooks(store, client, attributes, reinvocation)
    },
    validate: (attributes) => validateServiceAccount(store, attributes)
  }
}
