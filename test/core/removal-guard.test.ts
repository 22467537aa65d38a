import t from 'tap'
import { formatRemovalApproval, isRemovalHeld } from '../../src/core/removal-guard.ts'
import { CONFIG_HASH } from '../helpers/policies.ts'

const counts: [string, number, number, boolean][] = [
  ['nothing unwanted', 100, 0, false],
  ['ten of ten', 10, 10, false],
  ['eleven of eleven', 11, 11, true],
  ['eleven of twenty-one, which is more than half', 21, 11, true],
  ['eleven of twenty-two, which is half', 22, 11, false],
  ['half of a thousand', 1000, 500, false],
  ['one more than half of a thousand', 1000, 501, true],
  ['all of a thousand', 1000, 1000, true]
]

for (const [name, copies, unwanted, expected] of counts) {
  t.test(`${name} ${expected ? 'wait' : 'do not wait'} for a person`, async (t) => {
    t.equal(isRemovalHeld({ copies, unwanted }, undefined, CONFIG_HASH), expected)
    t.equal(isRemovalHeld({ copies, unwanted }, formatRemovalApproval(CONFIG_HASH), CONFIG_HASH), false, 'nor with an approval')
  })
}

const approvals: [string, string, boolean][] = [
  ['the value that status names', formatRemovalApproval(CONFIG_HASH), false],
  ['the whole SHA-256', CONFIG_HASH, false],
  ['another configuration\'s', formatRemovalApproval('cd'.repeat(32)), true],
  ['an empty one', '', true],
  ['too little of the SHA-256 to name it', CONFIG_HASH.slice(0, 11), true],
  ['a word', 'true', true],
  ['more than the SHA-256', `${CONFIG_HASH}0`, true]
]

for (const [name, approval, expected] of approvals) {
  t.test(`${name} ${expected ? 'approves nothing' : 'approves the removal'}`, async (t) => {
    t.equal(isRemovalHeld({ copies: 100, unwanted: 100 }, approval, CONFIG_HASH), expected)
  })
}
