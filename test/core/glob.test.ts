import fc from 'fast-check'
import t from 'tap'
import { compileGlob, matchesGlob } from '../../src/core/glob.ts'

/** The table of Go's own `path.Match` test, less the rows with a slash, and what host labels and namespaces need. */
const cases: [string, string, string, boolean][] = [
  ['a text matches itself', 'abc', 'abc', true],
  ['the empty glob matches the empty text', '', '', true],
  ['the empty glob matches nothing else', '', 'a', false],
  ['a prefix is no match', 'ab', 'abc', false],
  ['a longer glob is no match', 'abc', 'ab', false],
  ['case counts', 'abc', 'ABC', false],
  ['a star matches everything', '*', 'abc', true],
  ['a star matches the empty text', '*', '', true],
  ['a star matches a prefix', '*c', 'abc', true],
  ['a star matches a suffix', 'a*', 'abc', true],
  ['a star may match nothing', 'a*', 'a', true],
  ['a star in the middle', 'a*c', 'abbbc', true],
  ['a star in the middle needs both ends', 'a*c', 'abbb', false],
  ['two stars side by side are one', 'a**c', 'abc', true],
  ['a star gives back what the rest needs', '*ab', 'aab', true],
  ['stars between other characters', 'a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['stars between other characters, and no match', 'a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['a star does not excuse what follows', 'a*b', 'a', false],
  ['a question mark matches one character', 'a?c', 'abc', true],
  ['a question mark does not match nothing', 'a?', 'a', false],
  ['a question mark matches one character only', '?', 'ab', false],
  ['a class matches one of its characters', 'ab[c]', 'abc', true],
  ['a range matches what lies in it', 'ab[b-d]', 'abc', true],
  ['a range does not match what lies outside', 'ab[e-g]', 'abc', false],
  ['a class of several ranges', '[a-cx-z0]', 'y', true],
  ['a negated class matches another character', 'ab[^e-g]', 'abc', true],
  ['a negated class does not match its own', 'ab[^c]', 'abc', false],
  ['a negated class does not match nothing', 'ab[^c]', 'ab', false],
  ['an exclamation mark negates nothing', '[!a]', 'a', true],
  ['a caret elsewhere is itself', '[a^]', '^', true],
  ['an escaped star is a star', 'a\\*b', 'a*b', true],
  ['an escaped star matches nothing else', 'a\\*b', 'ab', false],
  ['an escaped letter is the letter', '\\a', 'a', true],
  ['an escaped bracket in a class', '[\\]a]', ']', true],
  ['an escaped hyphen in a class', '[\\-]', '-', true],
  ['an escaped hyphen as the end of a range', '[x\\-]', '-', true],
  ['a closing bracket outside a class is itself', 'a]', 'a]', true]
]

const badGlobs: [string, string][] = [
  ['a class that is not closed', '[a'],
  ['a bracket at the end', 'a['],
  ['an empty class', '[]'],
  ['an empty negated class', '[^]'],
  ['a class that begins with a closing bracket', '[]a]'],
  ['a class that begins with a hyphen', '[-]'],
  ['a class that ends with a hyphen', '[x-]'],
  ['a range without a beginning', '[-x]'],
  ['a range in a range', '[a-b-c]'],
  ['a range that is not ended', '[a-'],
  ['an escape at the end', 'a\\'],
  ['an escape at the end of a class', '[a\\']
]

for (const [name, pattern, text, expected] of cases) {
  t.test(name, async (t) => {
    t.equal(matchesGlob(compileGlob(pattern), text), expected, `"${pattern}" on "${text}"`)
  })
}

for (const [name, pattern] of badGlobs) {
  t.test(`${name} is a bad glob and matches nothing`, async (t) => {
    const glob = compileGlob(pattern)
    t.equal(glob, undefined)
    t.notOk(matchesGlob(glob, 'a'))
    t.notOk(matchesGlob(glob, pattern))
  })
}

t.test('stars and question marks mean what the same regular expression means', async () => {
  const pattern = fc.array(fc.constantFrom('a', 'b', '-', '*', '?'), { maxLength: 8 })
  const text = fc.array(fc.constantFrom('a', 'b', '-'), { maxLength: 10 }).map((chars) => chars.join(''))
  const wildcards: Record<string, string> = { '*': '.*', '?': '.' }
  fc.assert(fc.property(pattern, text, (chars, text) => {
    const expected = new RegExp(`^${chars.map((char) => wildcards[char] ?? char).join('')}$`).test(text)
    return matchesGlob(compileGlob(chars.join('')), text) === expected
  }))
})

t.test('every text escaped character by character matches itself', async () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const pattern = [...text].map((char) => `\\${char}`).join('')
    return matchesGlob(compileGlob(pattern), text)
  }))
})

t.test('no glob makes it throw', async () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('[', ']', '^', '-', '\\', '*', '?', 'a') }), fc.string(), (pattern, text) => {
    return typeof matchesGlob(compileGlob(pattern), text) === 'boolean'
  }))
})

t.test('a hostile text of a megabyte costs one pass for each star', async (t) => {
  const glob = compileGlob('*a*a*a*a*a*a*a*b')
  t.notOk(matchesGlob(glob, 'a'.repeat(1_000_000)))
  t.ok(matchesGlob(glob, `${'a'.repeat(1_000_000)}b`))
})
