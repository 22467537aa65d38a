import type { KubernetesObject } from './kubernetes-object.ts'
import { applyDefaults } from '../writes/object-defaults.ts'
import { completeNewObject } from './object-metadata.ts'
import type { ObjectStore } from './object-store.ts'
import { NAMESPACES } from './resource-table.ts'

const NAMES = ['default', 'kube-node-lease', 'kube-public', 'kube-system']

/**
 * Makes the namespaces that every cluster starts with.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#initial-namespaces
 */
export function createInitialNamespaces (store: ObjectStore, now: Date): void {
  for (const name of NAMES) {
    const namespace: KubernetesObject = { kind: 'Namespace', apiVersion: 'v1', metadata: { name } }
    applyDefaults(NAMESPACES, namespace)
    store.put(NAMESPACES, completeNewObject(NAMESPACES, namespace, now))
  }
}
