import fc from 'fast-check'
import t from 'tap'
import { alignColumns } from '../../src/core/text-table.ts'

t.test('columns are as wide as their widest cell, and lines end with their last cell', async (t) => {
  t.strictSame(alignColumns([['A', 'BB', 'C'], ['aaa', '', 'c'], ['a', 'b', '']]), ['A     BB   C', 'aaa        c', 'a     b'])
})

t.test('no rows, no lines', async (t) => {
  t.strictSame(alignColumns([]), [])
})

t.test('a column begins at the same place in every line', async (t) => {
  const cell = fc.stringMatching(/^[a-z]{1,8}$/)
  fc.assert(fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1 }), (rows) => {
    const places = alignColumns(rows).map((line, index) => line.length - (rows[index]?.[2].length ?? 0))
    return new Set(places).size === 1
  }))
  t.pass()
})
