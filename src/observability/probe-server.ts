import { fastify, type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'

/** What the probes and Prometheus are told. */
export interface ProbeServerOptions {
  registry: Registry
  /** Why the process can not take requests now; undefined when it can. */
  findReasonNotReady: () => string | undefined
  /** Called before the metrics are read: for those that depend on the moment. */
  refreshMetrics?: () => void
}

/** Builds the plain-HTTP server for kubelet probes and Prometheus: `/livez`, `/readyz`, `/metrics`. */
export function createProbeServer ({ registry, findReasonNotReady, refreshMetrics }: ProbeServerOptions): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true })
  app.get('/livez', () => 'ok\n')
  app.get('/readyz', (_request, reply) => {
    const reason = findReasonNotReady()
    return reason === undefined ? reply.send('ok\n') : reply.code(503).send(`not ready: ${reason}\n`)
  })
  app.get('/metrics', async (_request, reply) => {
    refreshMetrics?.()
    return reply.type(registry.contentType).send(await registry.metrics())
  })
  return app
}
