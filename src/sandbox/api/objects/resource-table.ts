import {
  configMapColumns, cronJobColumns, daemonSetColumns, deploymentColumns, eventColumns, jobColumns, leaseColumns,
  namespaceColumns, podColumns, replicaSetColumns, secretColumns, serviceAccountColumns, statefulSetColumns, webhookConfigurationColumns
} from '../printing/printer-columns.ts'
import type { PrinterColumn, Resource } from './resource.ts'

type Defaults = 'group' | 'version' | 'namespaced' | 'shortNames' | 'categories' | 'subresources' | 'selectableFields' | 'returnsDeletedObject' | 'createsOnUpdate' | 'updatesUnconditionally' | 'singular'
type Row = Partial<Pick<Resource, Defaults>> & { kind: string, plural: string, columns: PrinterColumn[] }

function define (row: Row): Resource {
  return {
    group: '',
    version: 'v1',
    singular: row.kind.toLowerCase(),
    namespaced: true,
    shortNames: [],
    categories: [],
    subresources: [],
    selectableFields: [],
    returnsDeletedObject: false,
    createsOnUpdate: false,
    updatesUnconditionally: true,
    ...row
  }
}

/** Going with all their content: the namespace controller empties them. */
export const NAMESPACES = define({ kind: 'Namespace', plural: 'namespaces', namespaced: false, shortNames: ['ns'], subresources: ['status', 'finalize'], selectableFields: ['status.phase'], columns: namespaceColumns })
/** Never run: there is no kubelet. */
export const PODS = define({ kind: 'Pod', plural: 'pods', shortNames: ['po'], categories: ['all'], subresources: ['status'], returnsDeletedObject: true, selectableFields: ['status.phase', 'spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'status.podIP', 'status.nominatedNodeName'], columns: podColumns })
/** Validated by type; see `validateSecret`. */
export const SECRETS = define({ kind: 'Secret', plural: 'secrets', selectableFields: ['type'], columns: secretColumns })
/** Their pull secrets are copied into Pods by the admission plugin. */
export const SERVICE_ACCOUNTS = define({ kind: 'ServiceAccount', plural: 'serviceaccounts', shortNames: ['sa'], returnsDeletedObject: true, columns: serviceAccountColumns })
/** Stored only. */
export const CONFIG_MAPS = define({ kind: 'ConfigMap', plural: 'configmaps', shortNames: ['cm'], columns: configMapColumns })
/** Written by the controllers, and by clients. */
export const EVENTS = define({ kind: 'Event', plural: 'events', shortNames: ['ev'], createsOnUpdate: true, selectableFields: ['involvedObject.kind', 'involvedObject.namespace', 'involvedObject.name', 'involvedObject.uid', 'involvedObject.apiVersion', 'involvedObject.resourceVersion', 'involvedObject.fieldPath', 'reason', 'reportingComponent', 'source', 'type'], columns: eventColumns })
/** Kept by the Deployment controller. */
export const DEPLOYMENTS = define({ group: 'apps', kind: 'Deployment', plural: 'deployments', shortNames: ['deploy'], categories: ['all'], subresources: ['status', 'scale'], columns: deploymentColumns })
/** Kept by the ReplicaSet controller. */
export const REPLICA_SETS = define({ group: 'apps', kind: 'ReplicaSet', plural: 'replicasets', shortNames: ['rs'], categories: ['all'], subresources: ['status', 'scale'], selectableFields: ['status.replicas'], columns: replicaSetColumns })
/** Kept by the StatefulSet controller. */
export const STATEFUL_SETS = define({ group: 'apps', kind: 'StatefulSet', plural: 'statefulsets', shortNames: ['sts'], categories: ['all'], subresources: ['status', 'scale'], columns: statefulSetColumns })
/** Stored only: there is no node that a DaemonSet could place a Pod on. */
export const DAEMON_SETS = define({ group: 'apps', kind: 'DaemonSet', plural: 'daemonsets', shortNames: ['ds'], categories: ['all'], subresources: ['status'], columns: daemonSetColumns })
/** Kept by the Job controller. */
export const JOBS = define({ group: 'batch', kind: 'Job', plural: 'jobs', categories: ['all'], subresources: ['status'], selectableFields: ['status.successful'], columns: jobColumns })
/** Stored only: nothing watches the clock. */
export const CRON_JOBS = define({ group: 'batch', kind: 'CronJob', plural: 'cronjobs', shortNames: ['cj'], categories: ['all'], subresources: ['status'], columns: cronJobColumns })
/** Read anew for each write: a registration holds at once. */
export const MUTATING_WEBHOOK_CONFIGURATIONS = define({ group: 'admissionregistration.k8s.io', kind: 'MutatingWebhookConfiguration', plural: 'mutatingwebhookconfigurations', namespaced: false, updatesUnconditionally: false, categories: ['api-extensions'], columns: webhookConfigurationColumns })

/** What leaders are elected by: never written without the version that was read. */
export const LEASES = define({ group: 'coordination.k8s.io', kind: 'Lease', plural: 'leases', createsOnUpdate: true, updatesUnconditionally: false, columns: leaseColumns })

/** Every resource that is served: the one table behind discovery, routing, storage, OpenAPI and printed tables. */
export const RESOURCES: readonly Resource[] = [
  NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS, CONFIG_MAPS, EVENTS,
  DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, JOBS, CRON_JOBS, MUTATING_WEBHOOK_CONFIGURATIONS, LEASES
]

/** The resource of a URL, by its plural. */
export function findResource (group: string, version: string, plural: string): Resource | undefined {
  return RESOURCES.find((resource) => resource.group === group && resource.version === version && resource.plural === plural)
}
