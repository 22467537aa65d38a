import { invalidValue, required, type FieldError } from '../field-error.ts'
import type { ObjectMeta } from '../objects/kubernetes-object.ts'
import type { Resource } from '../objects/resource.ts'

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const LABEL_VALUE = `(${QUALIFIED})?`
const LABEL_DETAIL = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`
const SUBDOMAIN_DETAIL = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`
const NAME_PART = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}')`
const LABEL_VALUE_DETAIL = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${QUALIFIED})?')`
const MAX_LABEL = 63
const MAX_SUBDOMAIN = 253
const MAX_ANNOTATIONS_BYTES = 256 * 1024

/** Whether the whole text is a DNS label (RFC 1123). */
export function isDnsLabel (text: string): boolean {
  return text.length <= MAX_LABEL && matches(LABEL, text)
}

/** Whether the whole text is a DNS subdomain (RFC 1123). */
export function isDnsSubdomain (text: string): boolean {
  return text.length <= MAX_SUBDOMAIN && matches(SUBDOMAIN, text)
}

/** The rules for a field that holds a DNS label. */
export function validateDnsLabel (field: string, text: string): FieldError[] {
  return isDnsLabel(text) ? [] : [invalidValue(field, text, text.length > MAX_LABEL ? `must be no more than ${MAX_LABEL} characters` : LABEL_DETAIL)]
}

/** The rules for a field that holds a DNS subdomain. */
export function validateDnsSubdomain (field: string, text: string): FieldError[] {
  return isDnsSubdomain(text) ? [] : [invalidValue(field, text, text.length > MAX_SUBDOMAIN ? `must be no more than ${MAX_SUBDOMAIN} characters` : SUBDOMAIN_DETAIL)]
}

/** Whether a text is a qualified name: the key of a label, an annotation or an audit annotation. */
export function isQualifiedName (text: string): boolean {
  const { prefix, name } = splitQualifiedName(text)
  return name.length <= MAX_LABEL && matches(QUALIFIED, name) && (prefix === undefined || isDnsSubdomain(prefix))
}

/** What is wrong with an object's metadata, for the 422 answer. */
export function validateMetadata (resource: Resource, metadata: ObjectMeta): FieldError[] {
  return [
    ...validateName(resource, metadata),
    ...Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => validateLabel(key, value)),
    ...Object.keys(metadata.annotations ?? {}).flatMap((key) => validateKey('metadata.annotations', key, key.toLowerCase())),
    ...validateAnnotationSize(metadata.annotations ?? {})
  ]
}

function validateName (resource: Resource, { name = '', generateName = '' }: ObjectMeta): FieldError[] {
  if (name === '' && generateName === '') return [required('metadata.name', 'name or generateName is required')]
  const validate = resource.plural === 'namespaces' ? validateDnsLabel : validateDnsSubdomain
  // A prefix may end in what a whole name may not: Kubernetes validates it with its last character replaced.
  const prefix = generateName === '' ? [] : validate('metadata.generateName', generateName.replace(/[-.]$/, 'a'))
  return [...prefix, ...(name === '' ? [] : validate('metadata.name', name))]
}

function validateLabel (key: string, value: string): FieldError[] {
  const errors = validateKey('metadata.labels', key, key)
  if (value.length > MAX_LABEL) errors.push(invalidValue('metadata.labels', value, `must be no more than ${MAX_LABEL} characters`))
  else if (!matches(LABEL_VALUE, value)) errors.push(invalidValue('metadata.labels', value, LABEL_VALUE_DETAIL))
  return errors
}

function validateKey (field: string, key: string, checked: string): FieldError[] {
  if (isQualifiedName(checked)) return []
  const { prefix, name } = splitQualifiedName(checked)
  if (name.length > MAX_LABEL) return [invalidValue(field, key, `name part must be no more than ${MAX_LABEL} characters`)]
  if (prefix === undefined && name.includes('/')) return [invalidValue(field, key, `a qualified name ${NAME_PART} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`)]
  return [invalidValue(field, key, matches(QUALIFIED, name) ? `prefix part ${SUBDOMAIN_DETAIL}` : `name part ${NAME_PART}`)]
}

function validateAnnotationSize (annotations: Record<string, string>): FieldError[] {
  const bytes = Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  return bytes <= MAX_ANNOTATIONS_BYTES ? [] : [{ reason: 'FieldValueTooLong', message: `Too long: may not be more than ${MAX_ANNOTATIONS_BYTES} bytes`, field: 'metadata.annotations' }]
}

/** More than one slash leaves the name whole, so that it can't match. */
function splitQualifiedName (text: string): { prefix?: string, name: string } {
  const [prefix = '', name, ...rest] = text.split('/')
  return name === undefined || rest.length > 0 ? { name: text } : { prefix, name }
}

function matches (pattern: string, text: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(text)
}
