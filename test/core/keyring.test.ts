import t from 'tap'
import { findCredentials } from '../../src/core/keyring.ts'
import matches from '../vectors/match.json' with { type: 'json' }
import orders from '../vectors/order.json' with { type: 'json' }

const find = (servers: string[], image: string): string[] => findCredentials(servers.map((server) => ({ server })), image).map(({ server }) => server)

t.test('the kubelet finds the same credentials', async (t) => {
  for (const { pattern, image, match } of matches) t.strictSame(find([pattern], image), match ? [pattern] : [], `"${pattern}" for ${image}`)
})

t.test('the kubelet tries them in the same order', async (t) => {
  for (const { keys, image, order } of orders) {
    t.strictSame(find(keys, image), order)
    t.strictSame(find(keys.toReversed(), image), order, 'however they are written')
  }
})

const cases: [string, string[], string, string[]][] = [
  ['two spellings of one key keep their order', ['https://a.io/v2/', 'a.io', 'b.io'], 'a.io/app', ['https://a.io/v2/', 'a.io']],
  ['the order is that of bytes, not of UTF-16', ['%EF%BF%BD*', '%F0%90%80%80*'], '%F0%90%80%80x/app', ['%F0%90%80%80*']],
  ['a key that matches hides that of Docker Hub', ['docker.io/team', 'https://index.docker.io/v1/'], 'docker.io/team/app', ['docker.io/team']],
  ['one that does not, does not', ['docker.io/team', 'https://index.docker.io/v1/'], 'docker.io/other/app', ['https://index.docker.io/v1/']],
  ['Docker Hub with a path is no fallback', ['index.docker.io/team'], 'docker.io/team/app', []],
  ['Docker Hub is not for a host with a port', ['index.docker.io'], 'localhost:5000/app', []],
  ['a decoded percent sign is read as an escape once more', ['a.io/%2562'], 'a.io/b', ['a.io/%2562']],
  ['and where that is broken nothing matches', ['a.io/%25'], 'a.io/%', []],
  ['an image without a name has no credential', ['index.docker.io'], '', []],
  ['an image that Go cannot parse has none', ['a.io'], 'a.io:x/app', []]
]

for (const [name, servers, image, expected] of cases) {
  t.test(name, async (t) => {
    t.strictSame(find(servers, image), expected)
  })
}
