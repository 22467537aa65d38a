import type { StoredChange } from '../objects/object-store.ts'
import type { ControllerContext } from './controller-client.ts'
import { createDeploymentController } from './deployment-controller.ts'
import { createGarbageCollector } from './garbage-collector.ts'
import { createJobController } from './job-controller.ts'
import { createNamespaceController, keepDefaultServiceAccounts } from './namespace-controller.ts'
import { createReconcileQueue, scheduleOnTimer, type Schedule } from './reconcile-queue.ts'
import { createReplicaSetController } from './replica-set-controller.ts'
import { createStatefulSetController } from './stateful-set-controller.ts'

/** One controller: which key a change concerns, and what to do about a key. */
export interface Controller {
  keyOf: (change: StoredChange) => string | undefined
  /** Rejects to be tried again later. */
  reconcile: (key: string) => Promise<void>
}

const CONTROLLERS = [
  createDeploymentController, createReplicaSetController, createStatefulSetController, createJobController,
  createNamespaceController, createGarbageCollector
]

/** Starts the controllers on the changes of the store; `stop` ends them after what they are doing. */
export function startControllers ({ schedule = scheduleOnTimer, ...context }: ControllerContext & { schedule?: Schedule }): { stop: () => Promise<void> } {
  const endings = [keepDefaultServiceAccounts(context)]
  const queues = CONTROLLERS.map((create) => {
    const { keyOf, reconcile } = create(context)
    const queue = createReconcileQueue(reconcile, schedule)
    endings.push(context.store.subscribe((change) => {
      const key = keyOf(change)
      if (key !== undefined) queue.add(key)
    }))
    return queue
  })
  return {
    async stop () {
      for (const end of endings) end()
      await Promise.all(queues.map((queue) => queue.stop()))
    }
  }
}
