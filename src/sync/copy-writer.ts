import type { Secret } from '../core/kube-object.ts'
import { createManagedSecret, DOCKER_CONFIG_KEY, type ObservedCopy, type PullSecretContent } from '../core/managed-secret.ts'
import type { SyncMetrics } from '../observability/sync-metrics.ts'
import { APPLY_PATCH, type KubeClient } from '../kubernetes/kube-client.ts'
import type { KubeError } from '../kubernetes/kube-error.ts'

/** One write of a copy that was made, or that a dry run would make. */
export interface CopyWrite {
  operation: 'apply' | 'delete'
  namespace: string
  name: string
  reason: string
}

/** Writes and removes copies; rejects with a KubeError. */
export interface CopyWriter {
  /** Server-side apply with force: creates or updates in one call. Returns what stands there now. */
  apply: (namespace: string, name: string, content: PullSecretContent, reason: string) => Promise<Secret>
  /** Deletes exactly the copy that was observed. */
  remove: (namespace: string, name: string, observed: ObservedCopy, reason: string) => Promise<void>
}

/** What a copy writer needs. */
export interface CopyWriterOptions {
  client: KubeClient
  metrics: Pick<SyncMetrics, 'writes'>
  onWrite?: ((write: CopyWrite) => void) | undefined
  /** The API server checks every write and keeps none. */
  isDryRun?: boolean
}

/** The owner of our fields in `metadata.managedFields`. */
export const FIELD_MANAGER = 'pullkeeper'

/**
 * A write ends before another worker can take the Lease: below leaseDuration (15 s) less renewDeadline (10 s), in
 * milliseconds.
 */
export const WRITE_TIMEOUT_MS = 4000

/** The query of a write that the API server checks and does not keep. */
export const DRY_RUN = { dryRun: 'All' }

/** Makes a writer of copies (https://kubernetes.io/docs/reference/using-api/server-side-apply/). */
export function createCopyWriter ({ client, metrics, onWrite, isDryRun = false }: CopyWriterOptions): CopyWriter {
  const dryRun = isDryRun ? DRY_RUN : {}
  /** Of a dry run: what would be gone, and what would be there by now; no watch tells of either. */
  const removed = new Set<string>()
  const made = new Map<string, Secret>()

  async function count<T> (write: CopyWrite, work: () => Promise<T>): Promise<T> {
    try {
      const answer = await work()
      metrics.writes.inc({ secret: write.name, operation: write.operation, result: 'success' })
      onWrite?.(write)
      return answer
    } catch (error) {
      metrics.writes.inc({ secret: write.name, operation: write.operation, result: (error as KubeError).reason })
      throw error
    }
  }

  return {
    async apply (namespace, name, content, reason) {
      const path = formatPath(namespace, name)
      const body = createManagedSecret(name, namespace, content) as Secret
      const known = made.get(path)
      if (known?.data?.[DOCKER_CONFIG_KEY] === content.data) return known
      const answer = await count({ operation: 'apply', namespace, name, reason }, async () => {
        // It still stands there, and would refuse what comes after its removal.
        if (removed.has(path)) return body
        return client.request<Secret>({
          method: 'PATCH',
          path,
          query: { fieldManager: FIELD_MANAGER, force: 'true', ...dryRun },
          contentType: APPLY_PATCH,
          body,
          timeoutMs: WRITE_TIMEOUT_MS
        })
      })
      // What a dry run makes has no version.
      const secret = { ...answer, metadata: Object.assign({ resourceVersion: '' }, answer.metadata) }
      if (isDryRun) made.set(path, secret)
      return secret
    },
    async remove (namespace, name, { uid, resourceVersion }, reason) {
      await count({ operation: 'delete', namespace, name, reason }, async () => client.request({
        method: 'DELETE',
        path: formatPath(namespace, name),
        query: dryRun,
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
        timeoutMs: WRITE_TIMEOUT_MS
      }))
      if (isDryRun) removed.add(formatPath(namespace, name))
    }
  }
}

function formatPath (namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${name}`
}
