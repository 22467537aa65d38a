import { asObject } from '../../../core/unknown.ts'
import { listAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'

/** One Secret that a Pod names, and where. */
export interface SecretReference {
  kind: 'secret' | 'imagePullSecret'
  name: string
  where: string
}

/** Every Secret that a Pod names: volumes, environment and imagePullSecrets, in the order in which the API server looks. */
export function listSecretReferences (pod: KubernetesObject): SecretReference[] {
  return [
    ...listAt(pod, 'spec', 'volumes').flatMap((volume): SecretReference[] => {
      const name = textAt(volume, 'secret', 'secretName')
      return name === '' ? [] : [{ kind: 'secret', name, where: 'volume with secret' }]
    }),
    ...['initContainers', 'containers', 'ephemeralContainers'].flatMap((field) => {
      return listAt(pod, 'spec', field).flatMap((container) => listContainerReferences(container, field))
    }),
    ...listAt(pod, 'spec', 'imagePullSecrets').map((entry, index): SecretReference => {
      return { kind: 'imagePullSecret', name: textAt(entry, 'name'), where: `imagePullSecrets[${index}]` }
    })
  ]
}

function listContainerReferences (container: unknown, field: string): SecretReference[] {
  const label = `${field === 'initContainers' ? 'init container' : field === 'containers' ? 'container' : 'ephemeral container'} ${textAt(container, 'name')}`
  return [
    ...listAt(container, 'env').flatMap((variable): SecretReference[] => {
      const name = textAt(variable, 'valueFrom', 'secretKeyRef', 'name')
      return name === '' ? [] : [{ kind: 'secret', name, where: `${label} with envVar ${textAt(variable, 'name')} referencing secret` }]
    }),
    ...listAt(container, 'envFrom').flatMap((source): SecretReference[] => {
      const reference = asObject(objectAt(source).secretRef)
      return reference === undefined ? [] : [{ kind: 'secret', name: textAt(reference, 'name'), where: `${label} with envFrom referencing secret` }]
    })
  ]
}
