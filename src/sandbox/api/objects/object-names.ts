import { createHash, randomInt } from 'node:crypto'

/** Kubernetes' alphabet for generated names: no vowels and nothing that looks like another character, so no words come out. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const SUFFIX_LENGTH = 5
const MAX_BASE = 58

/** Five random characters (k8s.io/apimachinery `rand.String(5)`). */
export function generateSuffix (): string {
  return Array.from({ length: SUFFIX_LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('')
}

/** The name that `generateName` asks for; the prefix is cut so that the whole fits a DNS label. */
export function generateName (prefix: string): string {
  return prefix.slice(0, MAX_BASE) + generateSuffix()
}

/** A short stable hash in the same alphabet, as in the name of a Deployment's ReplicaSet. */
export function hashName (content: unknown): string {
  const digest = createHash('sha256').update(JSON.stringify(content)).digest()
  return Array.from(digest.subarray(0, 9), (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('')
}
