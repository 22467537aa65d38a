import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import { listAt, textAt, valueAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { generateSuffix } from '../objects/object-names.ts'

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'
const VOLUME_PREFIX = 'kube-api-access-'

/**
 * Mounts the account's token into every container that has nothing at its path, as the ServiceAccount plugin does.
 * It matters to webhooks: a sidecar that one of them adds is changed again by this, which reinvokes the others.
 * Edits the lists of `spec` by replacing them.
 */
export function mountServiceAccountToken (account: KubernetesObject, spec: UnknownObject): void {
  if (!isAutomounted(account, spec)) return
  const volumes = listAt(spec, 'volumes')
  const existing = volumes.find((volume) => textAt(volume, 'name').startsWith(VOLUME_PREFIX))
  const name = existing === undefined ? VOLUME_PREFIX + generateSuffix() : textAt(existing, 'name')
  const fields = ['initContainers', 'containers'].filter((field) => !listAt(spec, field).every(hasMount))
  for (const field of fields) spec[field] = listAt(spec, field).map((container) => addMount(container, name))
  if (fields.length > 0 && existing === undefined) spec.volumes = [...volumes, createTokenVolume(name)]
}

function addMount (container: unknown, name: string): unknown {
  if (hasMount(container)) return container
  return { ...asObject(container), volumeMounts: [...listAt(container, 'volumeMounts'), { name, readOnly: true, mountPath: MOUNT_PATH }] }
}

function isAutomounted (account: KubernetesObject, spec: UnknownObject): boolean {
  const own = spec.automountServiceAccountToken
  return typeof own === 'boolean' ? own : valueAt(account, 'automountServiceAccountToken') !== false
}

function hasMount (container: unknown): boolean {
  return listAt(container, 'volumeMounts').some((mount) => textAt(mount, 'mountPath') === MOUNT_PATH)
}

function createTokenVolume (name: string): UnknownObject {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } }
      ],
      defaultMode: 0o644
    }
  }
}
