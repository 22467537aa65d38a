import t from 'tap'
import { createPodPatch, type JsonPatchOperation, type PodPatchOptions } from '../../src/core/pod-patch.ts'
import type { UnknownObject } from '../../src/core/unknown.ts'
import { patchPod } from '../helpers/patches.ts'

const ANNOTATION = 'pullkeeper.dev/injected'
const ANNOTATION_PATH = '/metadata/annotations/pullkeeper.dev~1injected'

const createOptions = (parts: Partial<PodPatchOptions> = {}): PodPatchOptions => {
  return { injected: ['a'], present: [], annotate: true, pullSecretNames: new Set(['a', 'b', 'c', 'd']), ...parts }
}

const cases: [string, UnknownObject, Partial<PodPatchOptions>, JsonPatchOperation[]][] = [
  ['nothing to inject is no patch', { metadata: {}, spec: {} }, { injected: [], present: ['a'] }, []],
  ['an absent list is made', { metadata: {}, spec: {} }, { annotate: false }, [
    { op: 'add', path: '/spec/imagePullSecrets', value: [{ name: 'a' }] }
  ]],
  ['an absent list is made at once for several names', { metadata: {}, spec: {} }, { annotate: false, injected: ['a', 'b'] }, [
    { op: 'add', path: '/spec/imagePullSecrets', value: [{ name: 'a' }, { name: 'b' }] }
  ]],
  ['a list that is null is made', { metadata: {}, spec: { imagePullSecrets: null } }, { annotate: false }, [
    { op: 'add', path: '/spec/imagePullSecrets', value: [{ name: 'a' }] }
  ]],
  ['an empty list is appended to', { metadata: {}, spec: { imagePullSecrets: [] } }, { annotate: false }, [
    { op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'a' } }
  ]],
  ['each name is appended by itself', { metadata: {}, spec: { imagePullSecrets: [{ name: 'own' }] } }, { annotate: false, injected: ['a', 'b'], present: ['own'] }, [
    { op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'a' } },
    { op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'b' } }
  ]],
  ['absent annotations are made', { metadata: {}, spec: { imagePullSecrets: [] } }, {}, [
    { op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'a' } },
    { op: 'add', path: '/metadata/annotations', value: { [ANNOTATION]: 'a' } }
  ]],
  ['annotations that are null are made', { metadata: { annotations: null }, spec: { imagePullSecrets: [] } }, {}, [
    { op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'a' } },
    { op: 'add', path: '/metadata/annotations', value: { [ANNOTATION]: 'a' } }
  ]],
  ['other annotations stay', { metadata: { annotations: { x: 'y' } }, spec: { imagePullSecrets: [] } }, { injected: ['a', 'b'] }, [
    { op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'a' } },
    { op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'b' } },
    { op: 'add', path: ANNOTATION_PATH, value: 'a,b' }
  ]]
]

for (const [name, pod, options, expected] of cases) {
  t.test(name, async (t) => {
    const patch = createPodPatch(pod, createOptions(options))
    t.strictSame(patch, expected)
    t.doesNotThrow(() => patchPod(pod, patch))
  })
}

const annotations: [string, { old: string, injected: string[], present: string[] }, string][] = [
  ['what an earlier call added stays in front', { old: 'b', injected: ['a'], present: ['b'] }, 'b,a'],
  ['several names of an earlier call keep their order', { old: 'c,b', injected: ['a'], present: ['b', 'c'] }, 'c,b,a'],
  ['a name that the configuration does not know goes', { old: 'foreign,b', injected: ['a'], present: ['foreign', 'b'] }, 'b,a'],
  ['a name that is not in the list goes', { old: 'b,c', injected: ['a'], present: ['c'] }, 'c,a'],
  ['a name that is injected now stands once', { old: 'a', injected: ['a'], present: [] }, 'a'],
  ['a name that stood twice stands once', { old: 'b,b', injected: ['a'], present: ['b'] }, 'b,a'],
  ['an empty old value adds nothing', { old: '', injected: ['a', 'd'], present: [] }, 'a,d'],
  ['a text that someone wrote goes', { old: 'hello, world', injected: ['a'], present: [] }, 'a'],
  ['a known secret that the author listed is not claimed', { old: '', injected: ['a'], present: ['b'] }, 'a']
]

for (const [name, { old, injected, present }, expected] of annotations) {
  t.test(`in the annotation, ${name}`, async (t) => {
    const pod = { metadata: { annotations: { [ANNOTATION]: old } }, spec: { imagePullSecrets: present.map((name) => ({ name })) } }
    const patch = createPodPatch(pod, createOptions({ injected, present }))
    t.strictSame(patch.filter(({ path }) => path === ANNOTATION_PATH).map(({ value }) => value), [expected])
  })
}

t.test('without annotate an old annotation is left alone', async (t) => {
  const pod = { metadata: { annotations: { [ANNOTATION]: 'b' } }, spec: {} }
  const patched = patchPod(pod, createPodPatch(pod, createOptions({ annotate: false })))
  t.strictSame(patched, { ...pod, spec: { imagePullSecrets: [{ name: 'a' }] } })
})
