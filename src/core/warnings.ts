import type { PodImage } from './pod.ts'

const MAX_WARNINGS = 5
const MAX_WARNING_BYTES = 256

type WarnedImage = PodImage & { error?: string | undefined }

/**
 * Admission warnings for the person who runs kubectl: a handful of single lines of at most 256 bytes, since the API
 * server cuts longer ones (KEP-1693).
 */
export function listWarnings (unmatchedPolicy: 'allow' | 'warn' | 'deny', images: WarnedImage[], unmatched: WarnedImage[]): string[] {
  const unparsable = images.filter(({ error }) => error !== undefined)
  const unmatchedToWarn = unmatchedPolicy === 'warn' ? unmatched : []
  const warnings = [
    ...unparsable.map((image) => `pullkeeper: ${describeImage(image)} is left to the kubelet: ${image.error}`),
    ...unmatchedToWarn.map((image) => `pullkeeper: ${describeImage(image)} is matched by no rule, so no pull secret was added for it`)
  ]
  return limitWarnings(warnings.map(formatWarning))
}

/** The message of a Pod denied by `unmatched: deny`. */
export function describeDenial (unmatched: PodImage[]): string {
  const named = unmatched.slice(0, MAX_WARNINGS).map(describeImage).join(', ')
  const others = unmatched.length > MAX_WARNINGS ? ` and ${unmatched.length - MAX_WARNINGS} more` : ''
  return escapeControls(`pullkeeper: no rule matches ${named}${others}; use a registry that the platform's rules know, or ask for a rule`)
}

/** One line of at most 256 bytes: control characters escaped, the rest cut at a whole character. */
export function formatWarning (text: string): string {
  const line = escapeControls(text)
  if (Buffer.byteLength(line) <= MAX_WARNING_BYTES) return line
  let kept = ''
  let bytes = Buffer.byteLength('...')
  for (const char of line) {
    bytes += Buffer.byteLength(char)
    if (bytes > MAX_WARNING_BYTES) break
    kept += char
  }
  return `${kept}...`
}

function describeImage ({ container, field, image }: PodImage): string {
  const holder = field === 'volumes' ? 'volume' : 'container'
  return `image "${shorten(image, 120)}" of ${holder} "${shorten(container, 63)}"`
}

function shorten (text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength).toWellFormed()}...`
}

function limitWarnings (warnings: string[]): string[] {
  if (warnings.length <= MAX_WARNINGS) return warnings
  return [...warnings.slice(0, MAX_WARNINGS - 1), `pullkeeper: ${warnings.length - MAX_WARNINGS + 1} more warnings, see the decision log`]
}

function escapeControls (text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
