import type { StatusCause } from './status-error.ts'

/** One broken rule of one field, worded as Kubernetes' `field.Error`. */
export type FieldError = Required<StatusCause>

/** The field must be there. */
export function required (field: string, detail = ''): FieldError {
  return { reason: 'FieldValueRequired', message: detail === '' ? 'Required value' : `Required value: ${detail}`, field }
}

/** The field has a value that breaks a rule. */
export function invalidValue (field: string, value: unknown, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(value)}: ${detail}`, field }
}

/** The field knows a fixed set of values, and this is none of them. */
export function notSupported (field: string, value: unknown, supported: string[]): FieldError {
  const list = supported.map((one) => JSON.stringify(one)).join(', ')
  return { reason: 'FieldValueNotSupported', message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`, field }
}

/** The field may not be set or changed. */
export function forbiddenField (field: string, detail: string): FieldError {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${detail}`, field }
}

/** The value is larger than it may be. */
export function tooLong (field: string, maxBytes: number): FieldError {
  return { reason: 'FieldValueTooLong', message: `Too long: may not be more than ${maxBytes} bytes`, field }
}

/** A name that occurred before in the same list. */
export function duplicateValue (field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', message: `Duplicate value: ${JSON.stringify(value)}`, field }
}
