import type { UnknownObject } from '../../../core/unknown.ts'
import type { Representation } from '../http/content-negotiation.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { formatGroupVersion, type Resource } from '../objects/resource.ts'

/** A part of a list, with what a client needs for the rest. */
export interface ObjectPage {
  items: KubernetesObject[]
  resourceVersion: string
  continueToken?: string
  remainingItemCount?: number
}

/** Shows one object in the form that the client asked for. */
export function representObject (resource: Resource, object: KubernetesObject, form: Representation, now: Date, withColumns = true): object {
  if (form === 'PartialObjectMetadata') return toPartial(object)
  if (form === 'Object') return object
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: object.metadata.resourceVersion },
    columnDefinitions: withColumns ? defineColumns(resource) : null,
    rows: [toRow(resource, object, now)]
  }
}

/** Shows a list in the form that the client asked for. */
export function representList (resource: Resource, page: ObjectPage, form: Representation, now: Date): object {
  const metadata = {
    resourceVersion: page.resourceVersion,
    ...(page.continueToken !== undefined && { continue: page.continueToken, remainingItemCount: page.remainingItemCount })
  }
  switch (form) {
    case 'Table': return { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: defineColumns(resource), rows: page.items.map((item) => toRow(resource, item, now)) }
    case 'PartialObjectMetadata': return { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items: page.items.map(toPartial) }
    case 'Object': return { kind: `${resource.kind}List`, apiVersion: formatGroupVersion(resource), metadata, items: page.items.map(withoutType) }
  }
}

/** A Table without rows, for a bookmark: its metadata carries the version. */
export function representBookmark (resource: Resource, metadata: UnknownObject, form: Representation): object {
  switch (form) {
    case 'Table': return { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: null, rows: [] }
    case 'PartialObjectMetadata': return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
    case 'Object': return { kind: resource.kind, apiVersion: formatGroupVersion(resource), metadata }
  }
}

function defineColumns ({ columns }: Resource): object[] {
  return columns.map(({ name, type, format, priority }) => ({ name, type, format, description: '', priority }))
}

function toRow ({ columns }: Resource, object: KubernetesObject, now: Date): object {
  return { cells: columns.map(({ cell }) => cell(object, now)), object: toPartial(object) }
}

function toPartial ({ metadata }: KubernetesObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
}

/** In a list the type stands once, on the list. */
function withoutType ({ kind, apiVersion, ...rest }: KubernetesObject): UnknownObject {
  return rest
}
