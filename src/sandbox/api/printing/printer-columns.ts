import { asObject } from '../../../core/unknown.ts'
import { formatSelector } from '../../../core/label-selector.ts'
import { listAt, numberAt, objectAt, textAt, valueAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { summarizePod } from './pod-summary.ts'
import type { PrinterColumn } from '../objects/resource.ts'

type Cell = PrinterColumn['cell']

function column (name: string, cell: Cell, options: Partial<Pick<PrinterColumn, 'type' | 'format' | 'priority'>> = {}): PrinterColumn {
  return { name, type: 'string', format: '', priority: 0, ...options, cell }
}

const integer = { type: 'integer' } as const
const wide = { priority: 1 } as const
const name = column('Name', ({ metadata }) => metadata.name, { format: 'name' })
const age = column('Age', ({ metadata }, now) => formatAge(metadata.creationTimestamp, now))
const containers = column('Containers', (object) => listTemplateContainers(object).map((container) => textAt(container, 'name')).join(','), wide)
const images = column('Images', (object) => listTemplateContainers(object).map((container) => textAt(container, 'image')).join(','), wide)
const selector = column('Selector', (object) => formatSelector(objectAt(object, 'spec', 'selector')), wide)
const noValue = '<none>'

/** Columns of `kubectl get` for Namespaces, as the API server prints them (pkg/printers/internalversion). */
export const namespaceColumns = [name, column('Status', (object) => textAt(object, 'status', 'phase')), age]
/** Columns of `kubectl get` for Secrets, as the API server prints them (pkg/printers/internalversion). */
export const secretColumns = [name, column('Type', (object) => textAt(object, 'type')), column('Data', countData, integer), age]
/** Columns of `kubectl get` for ConfigMaps, as the API server prints them (pkg/printers/internalversion). */
export const configMapColumns = [name, column('Data', countData, integer), age]
/** Columns of `kubectl get` for ServiceAccounts, as the API server prints them (pkg/printers/internalversion). */
export const serviceAccountColumns = [name, column('Secrets', (object) => listAt(object, 'secrets').length, integer), age]
/** Columns of `kubectl get` for MutatingWebhookConfigurations, as the API server prints them (pkg/printers/internalversion). */
export const webhookConfigurationColumns = [name, column('Webhooks', (object) => listAt(object, 'webhooks').length, integer), age]

/** Columns of `kubectl get` for Leases, as the API server prints them (pkg/printers/internalversion). */
export const leaseColumns = [name, column('Holder', (object) => textAt(object, 'spec', 'holderIdentity')), age]

/** Columns of `kubectl get` for Pods, as the API server prints them (pkg/printers/internalversion). */
export const podColumns = [
  name,
  column('Ready', (object) => summarizePod(object).ready),
  column('Status', (object) => summarizePod(object).status),
  column('Restarts', (object) => String(summarizePod(object).restarts)),
  age,
  column('IP', (object) => textAt(object, 'status', 'podIP') || noValue, wide),
  column('Node', (object) => textAt(object, 'spec', 'nodeName') || noValue, wide),
  column('Nominated Node', (object) => textAt(object, 'status', 'nominatedNodeName') || noValue, wide),
  column('Readiness Gates', () => noValue, wide)
]

/** Columns of `kubectl get` for Deployments, as the API server prints them (pkg/printers/internalversion). */
export const deploymentColumns = [
  name,
  column('Ready', (object) => `${status(object, 'readyReplicas')}/${replicas(object)}`),
  column('Up-to-date', (object) => status(object, 'updatedReplicas'), integer),
  column('Available', (object) => status(object, 'availableReplicas'), integer),
  age, containers, images, selector
]

/** Columns of `kubectl get` for ReplicaSets, as the API server prints them (pkg/printers/internalversion). */
export const replicaSetColumns = [
  name,
  column('Desired', replicas, integer),
  column('Current', (object) => status(object, 'replicas'), integer),
  column('Ready', (object) => status(object, 'readyReplicas'), integer),
  age, containers, images, selector
]

/** Columns of `kubectl get` for StatefulSets, as the API server prints them (pkg/printers/internalversion). */
export const statefulSetColumns = [
  name, column('Ready', (object) => `${status(object, 'readyReplicas')}/${replicas(object)}`), age, containers, images
]

/** Columns of `kubectl get` for DaemonSets, as the API server prints them (pkg/printers/internalversion). */
export const daemonSetColumns = [
  name,
  column('Desired', (object) => status(object, 'desiredNumberScheduled'), integer),
  column('Current', (object) => status(object, 'currentNumberScheduled'), integer),
  column('Ready', (object) => status(object, 'numberReady'), integer),
  column('Up-to-date', (object) => status(object, 'updatedNumberScheduled'), integer),
  column('Available', (object) => status(object, 'numberAvailable'), integer),
  column('Node Selector', (object) => formatSelector({ matchLabels: objectAt(object, 'spec', 'template', 'spec', 'nodeSelector') as Record<string, string> }) || noValue),
  age, containers, images, selector
]

/** Columns of `kubectl get` for Jobs, as the API server prints them (pkg/printers/internalversion). */
export const jobColumns = [
  name,
  column('Status', describeJob),
  column('Completions', (object) => `${status(object, 'succeeded')}/${numberAt(object, ['spec', 'completions'], 1)}`),
  column('Duration', (object, now) => formatAge(textAt(object, 'status', 'startTime') || undefined, now, '')),
  age, containers, images, selector
]

/** Columns of `kubectl get` for CronJobs, as the API server prints them (pkg/printers/internalversion). */
export const cronJobColumns = [
  name,
  column('Schedule', (object) => textAt(object, 'spec', 'schedule')),
  column('Timezone', (object) => textAt(object, 'spec', 'timeZone') || noValue),
  column('Suspend', (object) => valueAt(object, 'spec', 'suspend') === true ? 'True' : 'False'),
  column('Active', (object) => listAt(object, 'status', 'active').length, integer),
  column('Last Schedule', (object, now) => formatAge(textAt(object, 'status', 'lastScheduleTime') || undefined, now, noValue)),
  age, containers, images
]

/** Columns of `kubectl get` for Events, as the API server prints them (pkg/printers/internalversion). */
export const eventColumns = [
  column('Last Seen', (object, now) => formatAge(textAt(object, 'lastTimestamp') || object.metadata.creationTimestamp, now)),
  column('Type', (object) => textAt(object, 'type')),
  column('Reason', (object) => textAt(object, 'reason')),
  column('Object', (object) => `${textAt(object, 'involvedObject', 'kind').toLowerCase()}/${textAt(object, 'involvedObject', 'name')}`),
  column('Subobject', (object) => textAt(object, 'involvedObject', 'fieldPath'), wide),
  column('Source', (object) => textAt(object, 'source', 'component'), wide),
  column('Message', (object) => textAt(object, 'message').trim()),
  column('First Seen', (object, now) => formatAge(textAt(object, 'firstTimestamp') || object.metadata.creationTimestamp, now), wide),
  column('Count', (object) => numberAt(object, ['count'], 1), { ...integer, ...wide }),
  column('Name', ({ metadata }) => metadata.name, { format: 'name', priority: 1 })
]

/**
 * How long ago something happened, as kubectl prints it: `5s`, `3m20s`, `45m`, `7h5m`, `3d4h`, `30d`.
 * Follows k8s.io/apimachinery `duration.HumanDuration`.
 */
export function formatAge (timestamp: string | undefined, now: Date, missing = '<unknown>'): string {
  if (timestamp === undefined) return missing
  const seconds = Math.floor((now.getTime() - Date.parse(timestamp)) / 1000)
  if (Number.isNaN(seconds) || seconds < -1) return '<invalid>'
  if (seconds < 120) return `${Math.max(seconds, 0)}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return join(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return join(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return join(days, 'd', hours % 24, 'h')
  return days < 730 ? `${days}d` : join(Math.floor(days / 365), 'y', days % 365, 'd')
}

function join (whole: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${whole}${unit}` : `${whole}${unit}${rest}${restUnit}`
}

function listTemplateContainers (object: KubernetesObject): unknown[] {
  const spec = objectAt(object, 'spec')
  return listAt(asObject(spec.jobTemplate) === undefined ? spec : objectAt(spec, 'jobTemplate', 'spec'), 'template', 'spec', 'containers')
}

function countData (object: KubernetesObject): number {
  return Object.keys(objectAt(object, 'data')).length + Object.keys(objectAt(object, 'binaryData')).length
}

function replicas (object: KubernetesObject): number {
  return numberAt(object, ['spec', 'replicas'], 0)
}

function status (object: KubernetesObject, field: string): number {
  return numberAt(object, ['status', field], 0)
}

function describeJob (object: KubernetesObject): string {
  const types = listAt(object, 'status', 'conditions').filter((condition) => textAt(condition, 'status') === 'True').map((condition) => textAt(condition, 'type'))
  return types.find((type) => type === 'Complete' || type === 'Failed') ?? (valueAt(object, 'spec', 'suspend') === true ? 'Suspended' : 'Running')
}
