/** How items are weighed and handled. */
export interface BatchOptions<T> {
  /** Handles everything that came together, in its order. */
  handle: (items: T[]) => void
  /** What an item weighs, such as its bytes. */
  weigh: (item: T) => number
  /** Above this weight a batch is handled at once: a bound on the memory that its items need at the same time. */
  maxWeight: number
}

/**
 * Collects what comes within one turn of the event loop and hands it over together. Under load that is dozens of
 * reviews: each stage of the work then runs over all of them while its code is in the processor's caches, which nearly
 * halves the cost of a review. A review that comes alone waits for no other, since the turn ends at once.
 */
export function createBatch<T> ({ handle, weigh, maxWeight }: BatchOptions<T>): (item: T) => void {
  let items: T[] = []
  let weight = 0

  function flush (): void {
    const batch = items
    items = []
    weight = 0
    if (batch.length > 0) handle(batch)
  }

  return (item) => {
    if (items.push(item) === 1) setImmediate(flush)
    weight += weigh(item)
    if (weight > maxWeight) flush()
  }
}
