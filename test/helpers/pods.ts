import type { UnknownObject } from '../../src/core/unknown.ts'

/** What a test says of a Pod. */
export interface PodParts {
  name?: string
  namespace?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  /** Images of containers, named `container-0` and so on. */
  images?: string[]
  /** Names for `spec.imagePullSecrets`; the list is absent without them. */
  pullSecrets?: string[]
  /** More of metadata and spec, as it is; wins over the parts above. */
  metadata?: UnknownObject
  spec?: UnknownObject
}

/** A type rather than an interface, so that it is a JSON object to the compiler, too. */
export type TestPod = {
  apiVersion: string
  kind: string
  metadata: UnknownObject
  spec: UnknownObject
}

/** A Pod with one container of `registry.example.com`, as far as the parts say nothing else. */
export function createPod (parts: PodParts = {}): TestPod {
  const { name = 'app', namespace = 'team-a', labels, annotations, images = ['registry.example.com/app:1'], pullSecrets } = parts
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }), ...parts.metadata },
    spec: {
      containers: images.map((image, index) => ({ name: `container-${index}`, image })),
      ...(pullSecrets && { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
      ...parts.spec
    }
  }
}
