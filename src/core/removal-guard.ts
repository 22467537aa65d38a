/** How many copies of one pull secret there are, and how many of them nobody wants any more. */
export interface RemovalCounts {
  /** Copies of ours, the canonical one aside. */
  copies: number
  unwanted: number
}

/** Up to this many copies are removed without asking. */
const MAX_UNASKED = 10
/** So much of a configuration's SHA-256 names it beyond doubt; less is no approval. */
const APPROVAL_LENGTH = 12

/**
 * Whether a removal waits for a person: more than half of a secret's copies, and more than ten, may be the work of one wrong file.
 * `approval` is the annotation on the canonical copy, and counts for the configuration whose SHA-256 it names.
 */
export function isRemovalHeld ({ copies, unwanted }: RemovalCounts, approval: string | undefined, configHash: string): boolean {
  if (unwanted <= MAX_UNASKED || unwanted * 2 <= copies) return false
  return approval === undefined || approval.length < APPROVAL_LENGTH || !configHash.startsWith(approval)
}

/** The value of the annotation that allows the removal that a configuration asks for. */
export function formatRemovalApproval (configHash: string): string {
  return configHash.slice(0, APPROVAL_LENGTH)
}
