import type { UnknownObject } from '../../../core/unknown.ts'
import { nameOf, type AdmissionAttributes } from './admission-attributes.ts'
import { listAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { PODS, SERVICE_ACCOUNTS } from '../objects/resource-table.ts'
import { listSecretReferences } from './secret-references.ts'
import { mountServiceAccountToken } from './service-account-token.ts'
import { forbidden, type StatusError } from '../status-error.ts'

const MIRROR = 'kubernetes.io/config.mirror'
const ENFORCE_MOUNTABLE_SECRETS = 'kubernetes.io/enforce-mountable-secrets'

/**
 * The mutating half of the admission plugin ServiceAccount: names the account, mounts its token,
 * and copies its pull secrets, but only into a Pod that has none. It runs before the webhooks, and again after them
 * when one asked to be reinvoked.
 * https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#serviceaccount-admission-controller
 */
export function admitServiceAccount (store: ObjectStore, attributes: AdmissionAttributes): void {
  const pod = attributes.object
  if (!isPodCreation(attributes) || pod === undefined) return
  if (!isMirrorPod(pod)) fillIn(store, attributes, pod)
  validateServiceAccount(store, attributes)
}

/** The validating half: mirror Pods reference nothing, and a strict account's Pods only what it lists. */
export function validateServiceAccount (store: ObjectStore, attributes: AdmissionAttributes): void {
  const pod = attributes.object
  if (!isPodCreation(attributes) || pod === undefined) return
  if (isMirrorPod(pod)) {
    checkMirrorPod(attributes, pod)
    return
  }
  const name = textAt(pod, 'spec', 'serviceAccountName')
  if (name === '') throw refuse(attributes, `no service account specified for pod ${attributes.namespace}/${nameOf(attributes)}`)
  const account = findServiceAccount(store, attributes, name)
  if (isStrict(account)) checkMountableSecrets(attributes, pod, account)
}

function isPodCreation ({ resource, subresource, operation }: AdmissionAttributes): boolean {
  return resource === PODS && subresource === undefined && operation === 'CREATE'
}

function isMirrorPod ({ metadata }: KubernetesObject): boolean {
  return metadata.annotations?.[MIRROR] !== undefined
}

/** Go's strconv.ParseBool: the spellings of true that count. */
function isStrict ({ metadata }: KubernetesObject): boolean {
  return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(metadata.annotations?.[ENFORCE_MOUNTABLE_SECRETS] ?? '')
}

function fillIn (store: ObjectStore, attributes: AdmissionAttributes, pod: KubernetesObject): void {
  const spec: UnknownObject = { ...objectAt(pod, 'spec') }
  if (textAt(spec, 'serviceAccountName') === '') spec.serviceAccountName = 'default'
  spec.serviceAccount = spec.serviceAccountName
  const account = findServiceAccount(store, attributes, textAt(spec, 'serviceAccountName'))
  mountServiceAccountToken(account, spec)
  if (listAt(spec, 'imagePullSecrets').length === 0 && listAt(account, 'imagePullSecrets').length > 0) {
    spec.imagePullSecrets = structuredClone(listAt(account, 'imagePullSecrets'))
  }
  attributes.object = { ...pod, spec }
}

function findServiceAccount (store: ObjectStore, attributes: AdmissionAttributes, name: string): KubernetesObject {
  const { namespace } = attributes
  const account = store.get(SERVICE_ACCOUNTS, namespace, name)
  if (account === undefined) throw refuse(attributes, `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`)
  return account
}

function checkMirrorPod (attributes: AdmissionAttributes, pod: KubernetesObject): void {
  if (textAt(pod, 'spec', 'serviceAccountName') !== '') throw refuse(attributes, 'a mirror pod may not reference service accounts')
  if (listSecretReferences(pod).length > 0) throw refuse(attributes, 'a mirror pod may not reference secrets')
}

function checkMountableSecrets (attributes: AdmissionAttributes, pod: KubernetesObject, account: KubernetesObject): void {
  const accountName = textAt(account, 'metadata', 'name')
  const mountable = new Set(listAt(account, 'secrets').map((secret) => textAt(secret, 'name')))
  const pullable = new Set(listAt(account, 'imagePullSecrets').map((secret) => textAt(secret, 'name')))
  for (const { kind, name, where } of listSecretReferences(pod)) {
    if (kind === 'imagePullSecret' && !pullable.has(name)) {
      throw refuse(attributes, `${where}.name="${name}" is not allowed because service account ${accountName} does not reference that imagePullSecret`)
    }
    if (kind === 'secret' && !mountable.has(name)) {
      throw refuse(attributes, `${where}.secretName="${name}" is not allowed because service account ${accountName} does not reference that secret`)
    }
  }
}

function refuse (attributes: AdmissionAttributes, why: string): StatusError {
  return forbidden(attributes.resource, nameOf(attributes), why)
}
