import { matchesLabels, type LabelExpression } from '../../../core/label-selector.ts'
import { textAt, valueAt, type KubernetesObject } from './kubernetes-object.ts'
import type { Resource } from './resource.ts'
import { badRequest } from '../status-error.ts'

/** Which objects a list or watch wants. */
export type ObjectFilter = (object: KubernetesObject) => boolean

const EXPRESSION = /^(?:(?<absent>!)?\s*(?<key>[\w./-]+)|(?<left>[\w./-]+)\s*(?<sign>==?|!=)\s*(?<value>[\w.-]*)|(?<setKey>[\w./-]+)\s+(?<set>in|notin)\s*\(\s*(?<values>[^()]*)\))$/

/**
 * Reads `labelSelector`: equality- and set-based terms, joined by commas.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api
 */
export function parseLabelSelector (text: string): LabelExpression[] {
  return splitTerms(text).map((term) => {
    const groups = EXPRESSION.exec(term)?.groups
    if (groups === undefined) throw badRequest(`unable to parse requirement: ${JSON.stringify(term)}`)
    if (groups.set !== undefined) return toExpression(groups.setKey, groups.set === 'in' ? 'In' : 'NotIn', groups.values?.split(','))
    if (groups.sign !== undefined) return toExpression(groups.left, groups.sign === '!=' ? 'NotIn' : 'In', [groups.value ?? ''])
    return toExpression(groups.key, groups.absent === undefined ? 'Exists' : 'DoesNotExist', undefined)
  })
}

/** Builds the filter of a list or watch from its query; unknown fields are refused with 400. */
export function createObjectFilter (resource: Resource, query: URLSearchParams): ObjectFilter {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '')
  const fields = parseFieldSelector(resource, query.get('fieldSelector') ?? '')
  return (object) => {
    return fields.every(({ field, value, negated }) => (readField(object, field) === value) !== negated) &&
      matchesLabels({ matchExpressions: labels }, object.metadata.labels ?? {})
  }
}

function parseFieldSelector (resource: Resource, text: string): { field: string, value: string, negated: boolean }[] {
  return text.split(',').filter((term) => term !== '').map((term) => {
    const groups = /^(?<field>[^!=]+)(?<sign>==?|!=)(?<value>.*)$/.exec(term)?.groups
    if (groups === undefined) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`)
    const { field = '', value = '', sign } = groups
    const known = field === 'metadata.name' || (field === 'metadata.namespace' && resource.namespaced) || resource.selectableFields.includes(field)
    if (!known) throw badRequest(`field label not supported: ${field}`)
    return { field, value, negated: sign === '!=' }
  })
}

function readField (object: KubernetesObject, field: string): string {
  if (field === 'source') return textAt(object, 'source', 'component')
  const value = valueAt(object, ...field.split('.'))
  return typeof value === 'number' || typeof value === 'string' ? String(value) : ''
}

/** Splits at the commas outside of parentheses. */
function splitTerms (text: string): string[] {
  return text.split(/,(?![^(]*\))/).map((term) => term.trim()).filter((term) => term !== '')
}

function toExpression (key = '', operator: LabelExpression['operator'], values: string[] | undefined): LabelExpression {
  return { key, operator, ...(values !== undefined && { values: values.map((value) => value.trim()) }) }
}
