import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createCertificateAuthority, issueCertificate, type KeyPair } from '../../tls/certificates.ts'
import type { Cluster, ClusterOptions } from '../cluster.ts'
import { createAdmissionChain } from './admission/admission-chain.ts'
import { createApiServer } from './http/api-server.ts'
import { openAuditLog } from './http/audit-log.ts'
import { createInitialNamespaces } from './objects/initial-namespaces.ts'
import { createObjectStore, type ObjectStoreOptions } from './objects/object-store.ts'
import { createResourceApi } from './writes/resource-api.ts'
import { createWebhookClient } from './admission/webhook-client.ts'
import { startControllers } from './controllers/controllers.ts'
import type { Schedule } from './controllers/reconcile-queue.ts'

/** Where the API listens, and its clock; everything has a default. */
export interface InMemoryClusterOptions extends ClusterOptions, ObjectStoreOptions {
  /** A loopback address; 127.0.0.1 when absent. */
  host?: string
  /** 0, the default, takes any free port. */
  port?: number
  now?: () => Date
  /** How often a watch that asked for them has bookmarks. Default: a minute, as kube-apiserver. */
  bookmarkIntervalMs?: number
  /** Runs a controller's next attempt later; a test can give one that does not wait. */
  schedule?: Schedule
}

/** A cluster whose memory a test can reach. */
export interface InMemoryCluster extends Cluster {
  /** Forgets the history, as etcd's compaction: a watch or a further page that starts at an earlier version is answered with 410. */
  compact: () => void
}

const CERTIFICATE_DAYS = 30
const BOOKMARK_INTERVAL_MS = 60_000

/**
 * Starts a Kubernetes API that lives in this process: HTTPS on loopback, everything in memory, with admission, webhooks and the
 * controllers that make Pods. It behaves as kube-apiserver does, as far as trying out webhooks needs it; there is no kubelet.
 * Rejects when the port is taken or the audit log can't be opened.
 */
export async function startInMemoryCluster (options: InMemoryClusterOptions = {}): Promise<InMemoryCluster> {
  const { host = '127.0.0.1', port = 0, now = () => new Date(), bookmarkIntervalMs = BOOKMARK_INTERVAL_MS, schedule } = options
  const audit = openAuditLog(options, now)
  const store = createObjectStore(options)
  const client = createWebhookClient()
  const api = createResourceApi({ store, admission: createAdmissionChain(store, client), now })
  const controllers = startControllers({ store, api, audit, now, ...(schedule !== undefined && { schedule }) })
  createInitialNamespaces(store, now())
  const { authority, serving } = await issueServingCertificate(host, now())
  const token = randomBytes(24).toString('base64url')
  const server = createApiServer({ store, api, audit, now, bookmarkIntervalMs, token, keyPair: serving })
  await once(server.listen(port, host), 'listening').catch(async (error: unknown) => {
    await controllers.stop()
    audit.close()
    throw error
  })
  const address = server.address() as AddressInfo
  return {
    url: `https://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    caCertificate: authority.certificate,
    token,
    compact: () => store.compact(),
    async close () {
      const stopped = controllers.stop()
      // First of all, so that nobody waits for a webhook that does not answer.
      client.close()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await Promise.all([stopped, closed])
      audit.close()
    }
  }
}

async function issueServingCertificate (host: string, now: Date): Promise<{ authority: KeyPair, serving: KeyPair }> {
  // A minute of the past, for clients whose clock is behind.
  const validity = { notBefore: new Date(now.getTime() - 60_000), days: CERTIFICATE_DAYS }
  const authority = await createCertificateAuthority({ ...validity, commonName: `pullkeeper sandbox ${randomUUID()}` })
  const names = [...new Set([host, '127.0.0.1', 'localhost'])]
  return { authority, serving: await issueCertificate(authority, { ...validity, commonName: 'kube-apiserver', names, usage: 'serverAuth' }) }
}
