import { Agent } from 'node:https'
import { requestCluster } from '../../src/sandbox/cluster-request.ts'
import type { Cluster } from '../../src/sandbox/cluster.ts'

/** Creates Pods through an API server, by dry run: admission runs, nothing is stored. */
export interface ApiServerLoad {
  /** Creates `count` Pods with `inFlight` of them at a time; gives the milliseconds that each took. */
  createPods: (count: number, inFlight: number) => Promise<number[]>
  close: () => void
}

const CREATED = 201

/** An ordinary Pod with two images that rules match. */
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { generateName: 'shop-5fdff4c46-', labels: { 'app.kubernetes.io/name': 'shop', 'pod-template-hash': '5fdff4c46' } },
  spec: {
    containers: [
      {
        name: 'shop',
        image: 'myregistry.azurecr.io/shop/web:2026.11.3',
        ports: [{ name: 'http', containerPort: 8080 }],
        env: [{ name: 'LOG_LEVEL', value: 'info' }, { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 5 }
      },
      { name: 'proxy', image: 'registry.example.com:5000/mesh/proxy:1.2.3', resources: { limits: { memory: '64Mi' } } }
    ]
  }
}

/** Makes a client with keep-alive connections of its own. */
export function createApiServerLoad (cluster: Cluster, signal: AbortSignal): ApiServerLoad {
  const agent = new Agent({ keepAlive: true, ca: cluster.caCertificate })

  async function createPod (): Promise<number> {
    const startedMs = performance.now()
    const { status, body } = await requestCluster(cluster, { method: 'POST', path: '/api/v1/namespaces/default/pods?dryRun=All', body: POD, agent, signal })
    if (status !== CREATED) throw new Error(`a Pod was not created: ${status} ${JSON.stringify(body)}`)
    return performance.now() - startedMs
  }

  return {
    async createPods (count, inFlight) {
      const durationsMs: number[] = []
      let started = 0
      const createInTurn = async (): Promise<void> => {
        while (started++ < count) durationsMs.push(await createPod())
      }
      await Promise.all(Array.from({ length: inFlight }, createInTurn))
      return durationsMs
    },
    close: () => { agent.destroy() }
  }
}
