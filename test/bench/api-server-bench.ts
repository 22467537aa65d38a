import { createApiServerLoad, type ApiServerLoad } from './api-server-load.ts'
import { formatApiServerReport, type ApiServerRound, type VariantRounds } from './api-server-report.ts'
import { writeBenchFiles } from './bench-files.ts'
import type { BenchContext } from './context.ts'
import { createFloorVariant, createWebhookVariant, registerOnly, type WebhookVariant } from './registered-webhook.ts'
import { startControlPlane } from '../../src/sandbox/control-plane/control-plane.ts'

const CREATIONS = 2000
const IN_FLIGHT = 20
const ONE_BY_ONE_CREATIONS = 200
const WARM_UP_CREATIONS = 200
/** Each pass measures every variant once. */
const PASSES = 3

/**
 * Creates Pods by dry run through a real API server: without webhook, with the floor registered (untouched, and with our
 * patch, which costs the API server itself something), and with ours.
 */
export async function benchApiServer (context: BenchContext): Promise<void> {
  const { print } = context
  const binaries = process.env['KUBEBUILDER_ASSETS']
  if (binaries === undefined) return print('skipped: KUBEBUILDER_ASSETS, the folder with etcd and kube-apiserver, is not set')
  const files = await writeBenchFiles(context)
  const cluster = await startControlPlane({ binaries })
  context.onClose(cluster.close)
  print(`kube-apiserver ${cluster.version}; ${PASSES} passes of ${CREATIONS} dry-run creations at ${IN_FLIGHT} in flight and ${ONE_BY_ONE_CREATIONS} one by one; nothing pinned`)
  const webhooks = [
    await createFloorVariant(context, files, { patches: false }),
    await createFloorVariant(context, files, { patches: true }),
    await createWebhookVariant(context, files)
  ]
  const load = createApiServerLoad(cluster, context.signal)
  context.onClose(async () => { load.close() })
  const measured: VariantRounds[] = ['no webhook', ...webhooks.map(({ name }) => name)].map((name) => ({ name, rounds: [] }))
  for (let pass = 0; pass < PASSES; pass++) {
    for (const [index, variant] of [undefined, ...webhooks].entries()) {
      await registerOnly({ cluster, load, signal: context.signal }, variant, webhooks)
      measured[index]?.rounds.push(await measureRound(load, variant))
    }
  }
  for (const line of formatApiServerReport(measured)) print(line)
  await cluster.close()
}

async function measureRound (load: ApiServerLoad, variant: WebhookVariant | undefined): Promise<ApiServerRound> {
  await load.createPods(WARM_UP_CREATIONS, IN_FLIGHT)
  const calledBefore = await variant?.countCalls() ?? 0
  const startedMs = performance.now()
  const concurrentMs = await load.createPods(CREATIONS, IN_FLIGHT)
  const seconds = (performance.now() - startedMs) / 1000
  const called = (await variant?.countCalls() ?? 0) - calledBefore
  if (variant !== undefined && called < CREATIONS) throw new Error(`${variant.name} was called ${called} times for ${CREATIONS} Pods`)
  return { concurrentMs, creationsPerSecond: CREATIONS / seconds, oneByOneMs: await load.createPods(ONE_BY_ONE_CREATIONS, 1) }
}
