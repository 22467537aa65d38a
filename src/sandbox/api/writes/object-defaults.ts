import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import { ensureObject, listAt, objectAt, setDefault, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { defaultPod, defaultPodSpec } from './pod-defaults.ts'
import type { Resource } from '../objects/resource.ts'

const DEFAULTS: Record<string, (object: KubernetesObject) => void> = {
  Pod: defaultPod,
  Secret: defaultSecret,
  Namespace: defaultNamespace,
  Deployment: defaultDeployment,
  ReplicaSet: defaultReplicaSet,
  StatefulSet: defaultStatefulSet,
  DaemonSet: defaultTemplate,
  Job: defaultJob,
  CronJob: defaultCronJob,
  MutatingWebhookConfiguration: defaultWebhooks
}

/** Writes Kubernetes' default values into an object that its caller owns; an object with them all is left as it is. */
export function applyDefaults (resource: Resource, object: KubernetesObject): void {
  DEFAULTS[resource.kind]?.(object)
}

function defaultSecret (secret: KubernetesObject): void {
  setDefault(secret, 'type', 'Opaque')
  const added = Object.entries(objectAt(secret, 'stringData')).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')])
  if (added.length > 0) secret.data = { ...objectAt(secret, 'data'), ...Object.fromEntries(added) }
  delete secret.stringData
}

/** The label is what namespaceSelectors find a namespace by: https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name */
function defaultNamespace (namespace: KubernetesObject): void {
  const { metadata } = namespace
  if (metadata.name !== undefined && metadata.name !== '') metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
}

function defaultTemplate (workload: KubernetesObject): void {
  const template = asObject(objectAt(workload, 'spec').template)
  if (template !== undefined) defaultPodSpec(ensureObject(template, 'spec'))
}

function defaultReplicaSet (workload: KubernetesObject): void {
  setDefault(ensureObject(workload, 'spec'), 'replicas', 1)
  defaultTemplate(workload)
}

function defaultDeployment (workload: KubernetesObject): void {
  defaultReplicaSet(workload)
  const spec = ensureObject(workload, 'spec')
  const strategy = ensureObject(spec, 'strategy')
  setDefault(strategy, 'type', 'RollingUpdate')
  if (strategy.type === 'RollingUpdate') {
    const rollingUpdate = ensureObject(strategy, 'rollingUpdate')
    setDefault(rollingUpdate, 'maxUnavailable', '25%')
    setDefault(rollingUpdate, 'maxSurge', '25%')
  }
  setDefault(spec, 'revisionHistoryLimit', 10)
  setDefault(spec, 'progressDeadlineSeconds', 600)
}

function defaultStatefulSet (workload: KubernetesObject): void {
  defaultReplicaSet(workload)
  const spec = ensureObject(workload, 'spec')
  setDefault(spec, 'podManagementPolicy', 'OrderedReady')
  setDefault(spec, 'updateStrategy', { type: 'RollingUpdate', rollingUpdate: { partition: 0 } })
  setDefault(spec, 'revisionHistoryLimit', 10)
}

function defaultJob (job: KubernetesObject): void {
  const spec = ensureObject(job, 'spec')
  setDefault(spec, 'backoffLimit', 6)
  setDefault(spec, 'completionMode', 'NonIndexed')
  setDefault(spec, 'suspend', false)
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1
  setDefault(spec, 'parallelism', 1)
  defaultTemplate(job)
}

function defaultCronJob (cronJob: KubernetesObject): void {
  const spec = ensureObject(cronJob, 'spec')
  setDefault(spec, 'concurrencyPolicy', 'Allow')
  setDefault(spec, 'suspend', false)
  setDefault(spec, 'successfulJobsHistoryLimit', 3)
  setDefault(spec, 'failedJobsHistoryLimit', 1)
  const template = asObject(objectAt(spec, 'jobTemplate', 'spec').template)
  if (template !== undefined) defaultPodSpec(ensureObject(template, 'spec'))
}

function defaultWebhooks (configuration: KubernetesObject): void {
  for (const webhook of listAt(configuration, 'webhooks')) defaultWebhook(asObject(webhook) ?? {})
}

function defaultWebhook (webhook: UnknownObject): void {
  setDefault(webhook, 'failurePolicy', 'Fail')
  setDefault(webhook, 'matchPolicy', 'Equivalent')
  setDefault(webhook, 'namespaceSelector', {})
  setDefault(webhook, 'objectSelector', {})
  setDefault(webhook, 'reinvocationPolicy', 'Never')
  setDefault(webhook, 'timeoutSeconds', 10)
  for (const rule of listAt(webhook, 'rules')) setDefault(asObject(rule) ?? {}, 'scope', '*')
}
