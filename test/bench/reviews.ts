import { readFile } from 'node:fs/promises'

/** A captured review, and the form in which it is sent. */
interface ReviewSource {
  fixture: string
  /** The API server sends JSON without white space and a newline; `stored` sends the file's own, indented bytes. */
  form: 'compact' | 'stored'
  description: string
}

/** Reviews of about 6 KB on the wire. */
export const REVIEWS = {
  'deployment-pod': { fixture: 'deployment-pod.json', form: 'stored', description: 'a Deployment\'s Pod with one image, indented as it is stored' },
  'many-images': { fixture: 'many-images.json', form: 'compact', description: 'a Pod with six images, compact as the API server sends it' },
  'deployment-pod-compact': { fixture: 'deployment-pod.json', form: 'compact', description: 'a Deployment\'s Pod with one image, compact as the API server sends it' }
} as const satisfies Record<string, ReviewSource>

export type ReviewName = keyof typeof REVIEWS

/** The bytes of a captured AdmissionReview, as a benchmark posts them. */
export async function readReview (name: ReviewName): Promise<Buffer> {
  const { fixture, form } = REVIEWS[name]
  const stored = await readFile(new URL(`../fixtures/admission/${fixture}`, import.meta.url))
  return form === 'stored' ? stored : Buffer.from(JSON.stringify(JSON.parse(stored.toString())) + '\n')
}
