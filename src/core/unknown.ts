/** A JSON object whose values have not been looked at yet. */
export type UnknownObject = Record<string, unknown>

/** The value as a JSON object, or undefined when it is anything else. */
export function asObject (value: unknown): UnknownObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as UnknownObject : undefined
}

/** The value as an array; empty when it is anything else. */
export function asArray (value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

/** The value as a string, or undefined when it is anything else. */
export function asString (value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
