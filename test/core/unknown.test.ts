import t from 'tap'
import { asArray, asObject, asString } from '../../src/core/unknown.ts'

const object = { a: 1 }
const array = [1]

const cases: [string, unknown, { object: unknown, array: unknown[], string: unknown }][] = [
  ['an object is an object only', object, { object, array: [], string: undefined }],
  ['an array is an array only', array, { object: undefined, array, string: undefined }],
  ['a text is a text only', 'a', { object: undefined, array: [], string: 'a' }],
  ['the empty text is a text', '', { object: undefined, array: [], string: '' }],
  ['null is none of them', null, { object: undefined, array: [], string: undefined }],
  ['an absent value is none of them', undefined, { object: undefined, array: [], string: undefined }],
  ['a number is none of them', 0, { object: undefined, array: [], string: undefined }],
  ['a boolean is none of them', false, { object: undefined, array: [], string: undefined }]
]

for (const [name, value, expected] of cases) {
  t.test(name, async (t) => {
    t.strictSame({ object: asObject(value), array: asArray(value), string: asString(value) }, expected)
  })
}
