import fc from 'fast-check'
import t from 'tap'
import {
  hasAnnotations, isMirrorPod, isOptedOut, listPodImages, listPullSecrets, readAnnotation, readOwner, readPodName, readServiceAccount, type PodImage
} from '../../src/core/pod.ts'
import type { UnknownObject } from '../../src/core/unknown.ts'
import { createPod } from '../helpers/pods.ts'

const imageCases: [string, UnknownObject, PodImage[]][] = [
  ['images come in the order in which the kubelet meets them', {
    volumes: [{ name: 'model', image: { reference: 'd' } }],
    ephemeralContainers: [{ name: 'debug', image: 'c' }],
    containers: [{ name: 'app', image: 'b' }],
    initContainers: [{ name: 'init', image: 'a' }]
  }, [
    { container: 'init', field: 'initContainers', image: 'a' },
    { container: 'app', field: 'containers', image: 'b' },
    { container: 'debug', field: 'ephemeralContainers', image: 'c' },
    { container: 'model', field: 'volumes', image: 'd' }
  ]],
  ['an image that two containers share is listed twice', { containers: [{ name: 'a', image: 'x' }, { name: 'b', image: 'x' }] }, [
    { container: 'a', field: 'containers', image: 'x' },
    { container: 'b', field: 'containers', image: 'x' }
  ]],
  ['a container without a name is listed all the same', { containers: [{ image: 'a' }] }, [{ container: '', field: 'containers', image: 'a' }]],
  ['a volume of another kind has no image', { volumes: [{ name: 'a', emptyDir: {} }] }, []],
  ['an image volume without a reference has no image', { volumes: [{ name: 'a', image: { pullPolicy: 'Always' } }] }, []],
  ['a container without an image is passed over', { containers: [{ name: 'a' }, { name: 'b', image: '' }, { name: 'c', image: null }] }, []],
  ['lists that are null are empty', { containers: null, initContainers: null, ephemeralContainers: null, volumes: null }, []],
  ['lists that are none are empty', { containers: 'a', initContainers: { image: 'a' }, volumes: 3 }, []],
  ['entries of the wrong kind are passed over', { containers: [null, 'a', 3, ['b'], { name: 3, image: 3 }], volumes: [null, { image: 'a' }, { image: { reference: [] } }] }, []]
]

for (const [name, spec, expected] of imageCases) {
  t.test(name, async (t) => {
    t.strictSame(listPodImages({ spec }), expected)
  })
}

t.test('a Pod without a spec has no images', async (t) => {
  t.strictSame([{}, { spec: null }, { spec: [] }, { spec: 'a' }].map(listPodImages), [[], [], [], []])
})

const secretCases: [string, UnknownObject, string[] | undefined][] = [
  ['an absent list has no names', { spec: {} }, []],
  ['a list that is null has no names', { spec: { imagePullSecrets: null } }, []],
  ['an empty list has no names', { spec: { imagePullSecrets: [] } }, []],
  ['names keep their order', { spec: { imagePullSecrets: [{ name: 'b' }, { name: 'a' }] } }, ['b', 'a']],
  ['entries without a name are passed over', { spec: { imagePullSecrets: [{}, { name: '' }, { name: null }, null, 'a', { name: 'a' }] } }, ['a']],
  ['a list that is an object can not be patched', { spec: { imagePullSecrets: {} } }, undefined],
  ['a list that is a text can not be patched', { spec: { imagePullSecrets: 'a' } }, undefined],
  ['a Pod without a spec can not be patched', {}, undefined],
  ['a spec that is null can not be patched', { spec: null }, undefined],
  ['a spec that is a list can not be patched', { spec: [] }, undefined]
]

for (const [name, pod, expected] of secretCases) {
  t.test(name, async (t) => {
    t.strictSame(listPullSecrets(pod), expected)
  })
}

const flags: [string, UnknownObject, { mirror: boolean, optedOut: boolean }][] = [
  ['an ordinary Pod is neither a mirror nor opted out', createPod(), { mirror: false, optedOut: false }],
  ['the annotation of the kubelet makes a mirror Pod', createPod({ annotations: { 'kubernetes.io/config.mirror': 'abc' } }), { mirror: true, optedOut: false }],
  ['an empty annotation of the kubelet, too', createPod({ annotations: { 'kubernetes.io/config.mirror': '' } }), { mirror: true, optedOut: false }],
  ['a label of that name makes none', createPod({ labels: { 'kubernetes.io/config.mirror': 'abc' } }), { mirror: false, optedOut: false }],
  ['the annotation opts out', createPod({ annotations: { 'pullkeeper.dev/inject': 'false' } }), { mirror: false, optedOut: true }],
  ['the label opts out', createPod({ labels: { 'pullkeeper.dev/inject': 'false' } }), { mirror: false, optedOut: true }],
  ['the label opts out beside an annotation that says otherwise', createPod({ labels: { 'pullkeeper.dev/inject': 'false' }, annotations: { 'pullkeeper.dev/inject': 'true' } }), { mirror: false, optedOut: true }],
  ['any other value opts out of nothing', createPod({ labels: { 'pullkeeper.dev/inject': 'no' }, annotations: { 'pullkeeper.dev/inject': 'False' } }), { mirror: false, optedOut: false }],
  ['metadata that is none says nothing', { metadata: null }, { mirror: false, optedOut: false }],
  ['labels and annotations that are none say nothing', { metadata: { labels: [], annotations: 'a' } }, { mirror: false, optedOut: false }]
]

for (const [name, pod, expected] of flags) {
  t.test(name, async (t) => {
    t.strictSame({ mirror: isMirrorPod(pod), optedOut: isOptedOut(pod) }, expected)
  })
}

const ownerCases: [string, unknown, { kind: string, name: string } | undefined][] = [
  ['the controller is the owner', [{ kind: 'Node', name: 'n' }, { kind: 'ReplicaSet', name: 'web-1', controller: true, uid: 'u' }], { kind: 'ReplicaSet', name: 'web-1' }],
  ['without a controller the first is', [{ kind: 'Job', name: 'a' }, { kind: 'Job', name: 'b', controller: false }], { kind: 'Job', name: 'a' }],
  ['an owner without a name is none', [{ kind: 'Job' }], undefined],
  ['an owner without a kind is none', [{ name: 'a' }], undefined],
  ['an empty list has no owner', [], undefined],
  ['entries of the wrong kind are no owner', [null, 'a'], undefined],
  ['a list that is none has no owner', { kind: 'Job', name: 'a' }, undefined]
]

for (const [name, ownerReferences, expected] of ownerCases) {
  t.test(name, async (t) => {
    t.strictSame(readOwner({ metadata: { ownerReferences } }), expected)
  })
}

t.test('the name comes first, then generateName', async (t) => {
  t.equal(readPodName({ metadata: { name: 'a', generateName: 'b-' } }), 'a')
  t.equal(readPodName({ metadata: { generateName: 'b-' } }), 'b-')
  t.equal(readPodName({ metadata: { name: 3 } }), undefined)
  t.equal(readPodName({}), undefined)
})

t.test('the ServiceAccount is the one of the spec', async (t) => {
  t.equal(readServiceAccount(createPod({ spec: { serviceAccountName: 'builder' } })), 'builder')
  t.equal(readServiceAccount(createPod()), undefined)
  t.equal(readServiceAccount({ spec: { serviceAccountName: {} } }), undefined)
})

t.test('annotations are read where they are an object of texts', async (t) => {
  t.equal(readAnnotation({ metadata: { annotations: { a: 'b' } } }, 'a'), 'b')
  t.equal(readAnnotation({ metadata: { annotations: { a: 1 } } }, 'a'), undefined)
  t.equal(readAnnotation({ metadata: { annotations: null } }, 'a'), undefined)
  t.strictSame([{}, null, [], 'a', undefined].map((annotations) => hasAnnotations({ metadata: { annotations } })), [true, false, false, false, false])
})

t.test('no JSON makes any of them throw', async () => {
  const part = fc.oneof(fc.jsonValue(), fc.record({ name: fc.jsonValue(), image: fc.jsonValue(), annotations: fc.jsonValue(), ownerReferences: fc.array(fc.jsonValue()) }))
  const spec = fc.record({ containers: fc.oneof(part, fc.array(part)), volumes: fc.oneof(part, fc.array(part)), imagePullSecrets: fc.oneof(part, fc.array(part)) })
  fc.assert(fc.property(fc.record({ metadata: part, spec: fc.oneof(part, spec) }), (pod) => {
    for (const read of [listPodImages, listPullSecrets, isMirrorPod, isOptedOut, readPodName, readOwner, readServiceAccount, hasAnnotations]) read(pod)
  }))
})
