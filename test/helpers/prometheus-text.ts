/** What a `/metrics` page says. */
export interface MetricsPage {
  text: string
  contentType: string
  /** The value of the one series with this name and exactly these labels. */
  value: (name: string, labels?: Record<string, string>) => number | undefined
  /** Every series of this name: its labels. */
  labelsOf: (name: string) => Record<string, string>[]
}

interface Sample { name: string, labels: Record<string, string>, value: number }

/** Fetches and reads the Prometheus page of a probe server. */
export async function fetchMetrics (metricsUrl: string): Promise<MetricsPage> {
  const response = await fetch(`${metricsUrl}/metrics`)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`/metrics: ${response.status} ${text}`)
  return parseMetrics(text, response.headers.get('content-type') ?? '')
}

/** Reads the text format (https://prometheus.io/docs/instrumenting/exposition_formats/), as far as the webhook uses it. */
export function parseMetrics (text: string, contentType = ''): MetricsPage {
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map(parseSample)
  const key = (labels: Record<string, string>) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => a.localeCompare(b)))
  return {
    text,
    contentType,
    value: (name, labels = {}) => samples.find((sample) => sample.name === name && key(sample.labels) === key(labels))?.value,
    labelsOf: (name) => samples.filter((sample) => sample.name === name).map(({ labels }) => labels)
  }
}

function parseSample (line: string): Sample {
  const [, name, labels = '', value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined || value === undefined) throw new Error(`no sample: ${line}`)
  const pairs = [...labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']) => [label, text])
  return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }
}
