import type { KubernetesObject } from './kubernetes-object.ts'

/** One column of `kubectl get` (`metav1.TableColumnDefinition`), with the function that fills it. */
export interface PrinterColumn {
  name: string
  type: 'string' | 'integer' | 'boolean'
  format: string
  /** 0 is always shown, 1 only with `-o wide`. */
  priority: 0 | 1
  cell: (object: KubernetesObject, now: Date) => unknown
}

/** One kind of the API: what discovery, routing, storage and tables know of it. */
export interface Resource {
  group: string
  version: string
  kind: string
  plural: string
  singular: string
  namespaced: boolean
  shortNames: string[]
  categories: string[]
  subresources: Subresource[]
  /** Field selectors beside metadata.name and metadata.namespace. */
  selectableFields: string[]
  /** DELETE answers with the object instead of a Status, as for Pods. */
  returnsDeletedObject: boolean
  /** PUT makes an object that is missing. */
  createsOnUpdate: boolean
  /** PUT needs no resourceVersion. */
  updatesUnconditionally: boolean
  columns: PrinterColumn[]
}

/** The parts of an object that have a path of their own; any other is 404. */
export type Subresource = 'status' | 'scale' | 'finalize'

/** `v1`, or `apps/v1`. */
export function formatGroupVersion ({ group, version }: Pick<Resource, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`
}
