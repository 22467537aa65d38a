import { Agent } from 'undici'
import type { ClusterAccess } from '../kubernetes/cluster-access.ts'
import type { Credentials } from './cluster-request.ts'

/** The way to the sandbox's own API, as its administrator: what a kubeconfig would give, without the library that reads one. */
export function createLoopbackAccess ({ url, caCertificate, token }: Credentials): ClusterAccess {
  return {
    origin: url,
    pathPrefix: '',
    createDispatcher: (connections) => new Agent({ connect: { ca: caCertificate }, connections, allowH2: false }),
    authorize: async () => ({ authorization: `Bearer ${token}` }),
    forgetCredential () {}
  }
}
