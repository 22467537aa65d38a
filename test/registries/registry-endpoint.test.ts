import t from 'tap'
import { approveRealm, locateRegistry } from '../../src/registries/registry-endpoint.ts'

const servers: [string, string][] = [
  ['a.io', 'https://a.io/v2/'],
  ['https://a.io:5000/v1/', 'https://a.io:5000/v2/'],
  ['a.io/team/', 'https://a.io/v2/'],
  ['[::1]:5000', 'https://[::1]:5000/v2/'],
  ['https://index.docker.io/v1/', 'https://registry-1.docker.io/v2/'],
  ['docker.io', 'https://registry-1.docker.io/v2/'],
  ['registry-1.docker.io', 'https://registry-1.docker.io/v2/'],
  ['docker.io/team', 'https://registry-1.docker.io/v2/'],
  ['*.azurecr.io', 'glob'],
  ['registry[0-9].io', 'glob'],
  ['http://a.io', 'not-https'],
  ['http://index.docker.io/v1/', 'not-https'],
  ['a.io:*', 'invalid-server'],
  ['a.io:99999', 'invalid-server'],
  ['', 'invalid-server'],
  ['a<b.io', 'invalid-server'],
  ['%EF%BC%8Fa.io', 'invalid-server']
]

for (const [server, expected] of servers) {
  t.test(`the registry of "${server}" is ${expected}`, async (t) => {
    const endpoint = locateRegistry(server)
    t.equal(typeof endpoint === 'string' ? endpoint : endpoint.url.href, expected)
  })
}

const realms: [string, string, string, string[], boolean][] = [
  ['the registry\'s own host', 'a.io', 'https://a.io/token', [], true],
  ['its own host on another port', 'a.io:5050', 'https://a.io/jwt/auth', [], true],
  ['its own host in another case', 'a.io', 'https://A.io/token', [], true],
  ['a host that is listed', 'a.io', 'https://auth.b.io:8443/token', ['auth.b.io'], true],
  ['a host that is listed with its port', 'a.io', 'https://auth.b.io:8443/token', ['auth.b.io:8443'], true],
  ['a host that is listed with the port of https', 'a.io', 'https://auth.b.io/token', ['auth.b.io:443'], true],
  ['a host that is listed as a URL', 'a.io', 'https://auth.b.io/token', ['https://auth.b.io/'], true],
  ['the token server of Docker Hub', 'docker.io', 'https://auth.docker.io/token', [], true],
  ['the token server of Docker Hub for another registry', 'a.io', 'https://auth.docker.io/token', [], false],
  ['another host', 'a.io', 'https://b.io/token', ['c.io'], false],
  ['a host below the registry\'s', 'a.io', 'https://auth.a.io/token', [], false],
  ['a host above it', 'registry.a.io', 'https://a.io/token', [], false],
  ['another port than is listed', 'a.io', 'https://auth.b.io/token', ['auth.b.io:8443'], false],
  ['a host below one that is listed', 'a.io', 'https://x.auth.b.io/token', ['auth.b.io'], false],
  ['a host that is listed with http', 'a.io', 'https://auth.b.io/token', ['http://auth.b.io'], false],
  ['the own host over http', 'a.io', 'http://a.io/token', ['a.io'], false],
  ['the own host as a user name', 'a.io', 'https://a.io@b.io/token', [], false],
  ['the own host with a user name', 'a.io', 'https://user:pw@a.io/token', [], false],
  ['a path', 'a.io', '/token', [], false],
  ['nothing', 'a.io', '', [''], false]
]

for (const [name, server, realm, allowed, expected] of realms) {
  t.test(`${name} ${expected ? 'may' : 'may not'} be sent the credential`, async (t) => {
    const endpoint = locateRegistry(server)
    if (typeof endpoint === 'string') throw new Error(endpoint)
    t.equal(approveRealm(realm, endpoint, allowed)?.href, expected ? new URL(realm).href : undefined)
  })
}
