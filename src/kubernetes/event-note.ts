/** What an Event says of which object; nothing of it may be secret. */
export interface EventNote {
  type: 'Normal' | 'Warning'
  /** In UpperCamelCase, for machines: why it was written. */
  reason: string
  /** For people. */
  message: string
  object: EventObject
}

/** What an Event is about; it need not exist. */
export interface EventObject {
  apiVersion: string
  kind: string
  /** Absent = an object that stands in no namespace. */
  namespace?: string
  name: string
  uid?: string
}

/** Who writes Events. */
export interface EventSource {
  component: string
  /** Such as the Pod's name. */
  instance: string
}

/** What changes when an Event happens again. */
export interface EventRecurrence {
  message: string
  count: number
  /** Since 1970. */
  lastMs: number
}

const MAX_MESSAGE_BYTES = 1_024
const MAX_NAME_LENGTH = 253
/** Objects that stand in no namespace have their Events here. */
const DEFAULT_NAMESPACE = 'default'

/** The namespace in which the Events of an object stand. */
export function readEventNamespace ({ namespace }: EventObject): string {
  return namespace ?? DEFAULT_NAMESPACE
}

/** The name of an Event as client-go's recorder makes it: the object's name and the time in nanoseconds, in hex. */
export function formatEventName ({ name }: EventObject, timeNs: bigint): string {
  const suffix = `.${timeNs.toString(16)}`
  return `${name.slice(0, MAX_NAME_LENGTH - suffix.length).replace(/[^a-z0-9]+$/, '')}${suffix}`
}

/** An Event of core/v1 (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/, in its older form, which kubectl shows as well). */
export function createEvent (eventName: string, { type, reason, object }: EventNote, source: EventSource, firstMs: number, recurrence: EventRecurrence): object {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: eventName, namespace: readEventNamespace(object) },
    involvedObject: object,
    type,
    reason,
    source: { component: source.component },
    reportingComponent: source.component,
    reportingInstance: source.instance,
    firstTimestamp: formatTime(firstMs),
    ...createRecurrence(recurrence)
  }
}

/** The merge patch of an Event that happened again. */
export function createRecurrence ({ message, count, lastMs }: EventRecurrence): object {
  return { message: cutMessage(message), count, lastTimestamp: formatTime(lastMs) }
}

/** `metav1.Time`: whole seconds. */
function formatTime (timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** At most 1,024 bytes of UTF-8, cut at a whole character: the limit of events.k8s.io/v1. */
function cutMessage (message: string): string {
  const bytes = Buffer.from(message)
  if (bytes.length <= MAX_MESSAGE_BYTES) return message
  return new TextDecoder().decode(bytes.subarray(0, MAX_MESSAGE_BYTES), { stream: true })
}
