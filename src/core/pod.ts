import { asArray, asObject, asString, type UnknownObject } from './unknown.ts'

/** Where in a Pod's spec an image stands. */
export type ImageField = 'initContainers' | 'containers' | 'ephemeralContainers' | 'volumes'

/** An image as a Pod names it; `container` is the container's name, or the volume's for an image volume. */
export interface PodImage {
  container: string
  field: ImageField
  image: string
}

/** The controller that owns a Pod, as its `ownerReferences` tell. */
export interface PodOwner {
  kind: string
  name: string
}

/** The annotation that tells developers which pull secrets pullkeeper added. Nothing reads it to decide. */
export const INJECTED_ANNOTATION = 'pullkeeper.dev/injected'

/** Annotation or label: `"false"` on a Pod, or on its Namespace (label only), opts out. */
export const INJECT_KEY = 'pullkeeper.dev/inject'

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror'
const CONTAINER_FIELDS = ['initContainers', 'containers', 'ephemeralContainers'] as const

/** A Pod's images in the order in which the kubelet meets them: init containers, containers, ephemeral ones, volumes. */
export function listPodImages (pod: UnknownObject): PodImage[] {
  const spec = asObject(pod.spec) ?? {}
  const images: PodImage[] = []
  for (const field of CONTAINER_FIELDS) {
    for (const container of asArray(spec[field])) addImage(images, field, container, asObject(container)?.image)
  }
  for (const volume of asArray(spec.volumes)) addImage(images, 'volumes', volume, asObject(asObject(volume)?.image)?.reference)
  return images
}

/** Names in the Pod's `imagePullSecrets`, in order, as they stand; `undefined` where the Pod's shape can't be patched. */
export function listPullSecrets (pod: UnknownObject): string[] | undefined {
  const spec = asObject(pod.spec)
  const list = spec?.imagePullSecrets ?? []
  if (spec === undefined || !Array.isArray(list)) return undefined
  return list.map((entry) => asString(asObject(entry)?.name)).filter((name) => name !== undefined && name !== '') as string[]
}

/** A static Pod's image in the API: the API server refuses it with any secret. */
export function isMirrorPod (pod: UnknownObject): boolean {
  return readAnnotation(pod, MIRROR_ANNOTATION) !== undefined
}

/** Whether the Pod's author opted out by annotation or label. */
export function isOptedOut (pod: UnknownObject): boolean {
  return readAnnotation(pod, INJECT_KEY) === 'false' || asObject(readMetadata(pod).labels)?.[INJECT_KEY] === 'false'
}

/** One annotation of a Pod. */
export function readAnnotation (pod: UnknownObject, key: string): string | undefined {
  return asString(asObject(readMetadata(pod).annotations)?.[key])
}

/** Whether `metadata.annotations` is an object to which a key can be added. */
export function hasAnnotations (pod: UnknownObject): boolean {
  return asObject(readMetadata(pod).annotations) !== undefined
}

/** The Pod's name or, while the API server has not made one up yet, its generateName. */
export function readPodName (pod: UnknownObject): string | undefined {
  const { name, generateName } = readMetadata(pod)
  return asString(name) ?? asString(generateName)
}

/** The owner with `controller: true`, else the first one. */
export function readOwner (pod: UnknownObject): PodOwner | undefined {
  const owners = asArray(readMetadata(pod).ownerReferences).map(asObject)
  const owner = owners.find((candidate) => candidate?.controller === true) ?? owners[0]
  const kind = asString(owner?.kind)
  const name = asString(owner?.name)
  return kind !== undefined && name !== undefined ? { kind, name } : undefined
}

/** The ServiceAccount that the Pod runs as. */
export function readServiceAccount (pod: UnknownObject): string | undefined {
  return asString(asObject(pod.spec)?.serviceAccountName)
}

function readMetadata (pod: UnknownObject): UnknownObject {
  return asObject(pod.metadata) ?? {}
}

function addImage (images: PodImage[], field: ImageField, holder: unknown, image: unknown): void {
  if (typeof image === 'string' && image !== '') images.push({ container: asString(asObject(holder)?.name) ?? '', field, image })
}
