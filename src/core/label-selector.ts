/** A Kubernetes label selector (`metav1.LabelSelector`): all of it must hold. */
export interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: LabelExpression[]
}

/** One requirement of a selector (`metav1.LabelSelectorRequirement`). */
export interface LabelExpression {
  key: string
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  values?: string[]
}

/** A selector that demands nothing selects everything; the configuration treats it as if it were absent. */
export function isEmptySelector (selector: LabelSelector | undefined): boolean {
  return selector === undefined || listExpressions(selector).length === 0
}

/** Whether an object's labels satisfy a selector, as the API server evaluates it: `NotIn` holds where the key is absent. */
export function matchesLabels (selector: LabelSelector, labels: Record<string, string>): boolean {
  return listExpressions(selector).every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    switch (operator) {
      case 'In': return value !== undefined && values.includes(value)
      case 'NotIn': return value === undefined || !values.includes(value)
      case 'Exists': return value !== undefined
      case 'DoesNotExist': return value === undefined
    }
  })
}

/** One text for all selectors that mean the same: the order of keys and values does not count. */
export function formatCanonicalSelector (selector: LabelSelector): string {
  const expressions = listExpressions(selector).map(({ key, operator, values }) => {
    return JSON.stringify([key, operator, [...new Set(values)].sort()])
  })
  return [...new Set(expressions)].sort().join('\n')
}

/** A selector as kubectl's `--selector` writes it: `team=payments,tier in (a,b),!legacy`. */
export function formatSelector (selector: LabelSelector): string {
  return listExpressions(selector).map(({ key, operator, values }) => {
    switch (operator) {
      case 'In': return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(',')})`
      case 'NotIn': return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(',')})`
      case 'Exists': return key
      case 'DoesNotExist': return `!${key}`
    }
  }).join(',')
}

function listExpressions (selector: LabelSelector): Required<LabelExpression>[] {
  const labels = Object.entries(selector.matchLabels ?? {})
  return [
    ...labels.map(([key, value]) => ({ key, operator: 'In' as const, values: [value] })),
    ...(selector.matchExpressions ?? []).map((expression) => ({ ...expression, values: expression.values ?? [] }))
  ]
}
