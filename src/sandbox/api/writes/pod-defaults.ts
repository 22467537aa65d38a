import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import { ensureObject, listAt, setDefault } from '../objects/kubernetes-object.ts'

/**
 * Fills in what Kubernetes fills in before admission, in a Pod's spec or in that of a Pod template.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec
 */
export function defaultPodSpec (spec: UnknownObject): void {
  setDefault(spec, 'restartPolicy', 'Always')
  setDefault(spec, 'terminationGracePeriodSeconds', 30)
  setDefault(spec, 'dnsPolicy', 'ClusterFirst')
  setDefault(spec, 'securityContext', {})
  setDefault(spec, 'schedulerName', 'default-scheduler')
  for (const field of ['initContainers', 'containers']) {
    for (const container of listAt(spec, field)) defaultContainer(asObject(container) ?? {})
  }
  for (const volume of listAt(spec, 'volumes')) defaultVolume(asObject(volume) ?? {})
  // Each of the two names is kept equal to the other: `serviceAccount` is the deprecated one.
  if (spec.serviceAccountName === undefined && spec.serviceAccount !== undefined) spec.serviceAccountName = spec.serviceAccount
  else if (spec.serviceAccountName !== undefined) spec.serviceAccount = spec.serviceAccountName
}

/** What only a Pod gets, not a template. */
export function defaultPod (pod: UnknownObject): void {
  const spec = ensureObject(pod, 'spec')
  defaultPodSpec(spec)
  setDefault(spec, 'enableServiceLinks', true)
}

/** The image's pull policy: `Always` for `latest` or no tag, as distribution/reference reads tag and digest. */
export function defaultPullPolicy (image: unknown): string {
  if (typeof image !== 'string' || image.includes('@')) return 'IfNotPresent'
  const tag = /:(?<tag>[^/:]*)$/.exec(image)?.groups?.tag
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function defaultContainer (container: UnknownObject): void {
  setDefault(container, 'resources', {})
  setDefault(container, 'terminationMessagePath', '/dev/termination-log')
  setDefault(container, 'terminationMessagePolicy', 'File')
  setDefault(container, 'imagePullPolicy', defaultPullPolicy(container.image))
  for (const port of listAt(container, 'ports')) setDefault(asObject(port) ?? {}, 'protocol', 'TCP')
}

function defaultVolume (volume: UnknownObject): void {
  for (const source of ['secret', 'configMap', 'projected', 'downwardAPI']) {
    const value = asObject(volume[source])
    if (value !== undefined) setDefault(value, 'defaultMode', 0o644)
  }
  const image = asObject(volume.image)
  if (image !== undefined) setDefault(image, 'pullPolicy', defaultPullPolicy(image.reference))
}
