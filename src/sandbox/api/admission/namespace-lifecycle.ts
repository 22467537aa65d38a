import type { AdmissionAttributes } from './admission-attributes.ts'
import { nameOf } from './admission-attributes.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { NAMESPACES } from '../objects/resource-table.ts'
import { forbidden, notFound } from '../status-error.ts'

const IMMORTAL = ['default', 'kube-system', 'kube-public']

/**
 * The admission plugin NamespaceLifecycle: nothing is created in a namespace that is missing or going, and three namespaces stay.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespacelifecycle
 */
export function checkNamespaceLifecycle (store: ObjectStore, attributes: AdmissionAttributes): void {
  const { operation, resource, namespace, name } = attributes
  if (resource === NAMESPACES && operation === 'DELETE' && IMMORTAL.includes(name)) {
    throw forbidden(resource, name, 'this namespace may not be deleted')
  }
  if (!resource.namespaced || operation === 'DELETE') return
  const found = store.get(NAMESPACES, '', namespace)
  if (found === undefined) throw notFound(NAMESPACES, namespace)
  if (operation === 'CREATE' && found.metadata.deletionTimestamp !== undefined) {
    throw forbidden(resource, nameOf(attributes), `unable to create new content in namespace ${namespace} because it is being terminated`, [
      { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }
    ])
  }
}
