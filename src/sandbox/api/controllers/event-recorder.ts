import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { numberAt, textAt } from '../objects/kubernetes-object.ts'
import { hashName } from '../objects/object-names.ts'
import { completeNewObject, formatTime } from '../objects/object-metadata.ts'
import { EVENTS, NAMESPACES } from '../objects/resource-table.ts'
import type { ControllerContext } from './controller-client.ts'

/** What happened to an object, for `kubectl get events` and `kubectl describe`. */
export interface RecordedEvent {
  type: 'Normal' | 'Warning'
  reason: string
  message: string
}

/**
 * Records an Event about an object; the same one again raises the count of the first.
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 */
export function recordEvent ({ store, now }: ControllerContext, component: string, about: KubernetesObject, event: RecordedEvent): void {
  const namespace = about.metadata.namespace ?? 'default'
  if (store.get(NAMESPACES, '', namespace)?.metadata.deletionTimestamp !== undefined) return
  const { name = '', uid, resourceVersion } = about.metadata
  const time = formatTime(now())
  const eventName = `${name}.${hashName([uid, component, event])}`
  const earlier = store.get(EVENTS, namespace, eventName)
  if (earlier !== undefined) {
    store.put(EVENTS, { ...earlier, lastTimestamp: time, count: numberAt(earlier, ['count'], 1) + 1 })
    return
  }
  store.put(EVENTS, completeNewObject(EVENTS, {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: { name: eventName, namespace },
    involvedObject: { kind: about.kind, namespace: textAt(about, 'metadata', 'namespace'), name, uid, apiVersion: about.apiVersion, resourceVersion },
    ...event,
    source: { component },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    eventTime: null,
    reportingComponent: component,
    reportingInstance: ''
  }, now()))
}
