import fc, { type Arbitrary } from 'fast-check'
import t from 'tap'
import { formatCanonicalSelector, formatSelector, isEmptySelector, matchesLabels, type LabelExpression, type LabelSelector } from '../../src/core/label-selector.ts'

const cases: [string, LabelSelector, Record<string, string>, boolean][] = [
  ['an empty selector selects everything', {}, {}, true],
  ['matchLabels holds where the value is equal', { matchLabels: { team: 'a' } }, { team: 'a', tier: 'web' }, true],
  ['matchLabels does not hold where the value differs', { matchLabels: { team: 'a' } }, { team: 'b' }, false],
  ['matchLabels does not hold where the key is absent', { matchLabels: { team: 'a' } }, {}, false],
  ['all of matchLabels must hold', { matchLabels: { team: 'a', tier: 'web' } }, { team: 'a' }, false],
  ['an empty value is a value', { matchLabels: { team: '' } }, { team: '' }, true],
  ['an empty value is not an absent one', { matchLabels: { team: '' } }, {}, false],
  ['In holds for one of its values', { matchExpressions: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] }, { team: 'b' }, true],
  ['In does not hold for another value', { matchExpressions: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] }, { team: 'c' }, false],
  ['In does not hold where the key is absent', { matchExpressions: [{ key: 'team', operator: 'In', values: ['a'] }] }, {}, false],
  ['NotIn holds for another value', { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] }, { team: 'c' }, true],
  ['NotIn does not hold for one of its values', { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] }, { team: 'a' }, false],
  ['NotIn holds where the key is absent', { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] }, {}, true],
  ['Exists holds for any value', { matchExpressions: [{ key: 'team', operator: 'Exists' }] }, { team: '' }, true],
  ['Exists does not hold where the key is absent', { matchExpressions: [{ key: 'team', operator: 'Exists' }] }, {}, false],
  ['DoesNotExist holds where the key is absent', { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] }, {}, true],
  ['DoesNotExist does not hold for any value', { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] }, { team: '' }, false],
  ['labels and expressions must hold together', { matchLabels: { team: 'a' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, { team: 'a' }, false],
  ['a key that every object of JavaScript has is absent, too', { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, {}, false],
  ['DoesNotExist holds for a key that every object of JavaScript has', { matchExpressions: [{ key: 'toString', operator: 'DoesNotExist' }] }, {}, true]
]

for (const [name, selector, labels, expected] of cases) {
  t.test(name, async (t) => {
    t.equal(matchesLabels(selector, labels), expected)
  })
}

const emptiness: [string, LabelSelector | undefined, boolean][] = [
  ['an absent selector is empty', undefined, true],
  ['a selector without keys is empty', {}, true],
  ['a selector of empty parts is empty', { matchLabels: {}, matchExpressions: [] }, true],
  ['a selector with a label is not', { matchLabels: { a: 'b' } }, false],
  ['a selector with an expression is not', { matchExpressions: [{ key: 'a', operator: 'Exists' }] }, false]
]

for (const [name, selector, expected] of emptiness) {
  t.test(name, async (t) => {
    t.equal(isEmptySelector(selector), expected)
  })
}

const equalities: [string, LabelSelector, LabelSelector, boolean][] = [
  ['the order of labels does not count', { matchLabels: { a: '1', b: '2' } }, { matchLabels: { b: '2', a: '1' } }, true],
  ['the order of values does not count', { matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] }, { matchExpressions: [{ key: 'a', operator: 'In', values: ['2', '1'] }] }, true],
  ['a value that stands twice does not count', { matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '1'] }] }, { matchExpressions: [{ key: 'a', operator: 'In', values: ['1'] }] }, true],
  ['a label is an In of one value', { matchLabels: { a: '1' } }, { matchExpressions: [{ key: 'a', operator: 'In', values: ['1'] }] }, true],
  ['an expression that stands twice does not count', { matchLabels: { a: '1' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['1'] }] }, { matchLabels: { a: '1' } }, true],
  ['no values are an empty list of values', { matchExpressions: [{ key: 'a', operator: 'Exists' }] }, { matchExpressions: [{ key: 'a', operator: 'Exists', values: [] }] }, true],
  ['another operator is another selector', { matchExpressions: [{ key: 'a', operator: 'In', values: ['1'] }] }, { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, false],
  ['another value is another selector', { matchLabels: { a: '1' } }, { matchLabels: { a: '2' } }, false],
  ['one expression more is another selector', { matchLabels: { a: '1' } }, { matchLabels: { a: '1', b: '1' } }, false]
]

for (const [name, one, other, expected] of equalities) {
  t.test(name, async (t) => {
    t.equal(formatCanonicalSelector(one) === formatCanonicalSelector(other), expected)
  })
}

t.test('a selector is written as kubectl takes it', async (t) => {
  t.equal(formatSelector({
    matchLabels: { team: 'payments' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'zone', operator: 'NotIn', values: ['x'] },
      { key: 'env', operator: 'NotIn', values: ['dev', 'test'] },
      { key: 'owner', operator: 'Exists' },
      { key: 'legacy', operator: 'DoesNotExist' }
    ]
  }), 'team=payments,tier in (a,b),zone!=x,env notin (dev,test),owner,!legacy')
})

const keys = fc.constantFrom('a', 'b', 'c')
const values = fc.constantFrom('', '1', '2')
const expressions: Arbitrary<LabelExpression> = fc.oneof(
  fc.record({ key: keys, operator: fc.constantFrom('In', 'NotIn'), values: fc.array(values, { minLength: 1, maxLength: 3 }) }),
  fc.record({ key: keys, operator: fc.constantFrom('Exists', 'DoesNotExist') })
)
const selectors: Arbitrary<LabelSelector> = fc.record({ matchLabels: fc.dictionary(keys, values), matchExpressions: fc.array(expressions, { maxLength: 3 }) }, { requiredKeys: [] })

/** The same selector in other words: labels as expressions, everything in reverse, values twice. */
const rewrite = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector): LabelSelector => ({
  matchExpressions: [
    ...matchExpressions.map((expression) => ({ ...expression, values: [...expression.values ?? [], ...expression.values ?? []].reverse() })),
    ...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In' as const, values: [value] }))
  ].reverse()
})

t.test('a selector in other words has the same canonical text and selects the same objects', async () => {
  fc.assert(fc.property(selectors, fc.dictionary(keys, values), (selector, labels) => {
    const rewritten = rewrite(selector)
    return formatCanonicalSelector(selector) === formatCanonicalSelector(rewritten) && matchesLabels(selector, labels) === matchesLabels(rewritten, labels)
  }))
})

t.test('selectors that select differently have different canonical texts', async () => {
  fc.assert(fc.property(selectors, selectors, fc.dictionary(keys, values), (one, other, labels) => {
    return matchesLabels(one, labels) === matchesLabels(other, labels) || formatCanonicalSelector(one) !== formatCanonicalSelector(other)
  }))
})
