/** An image reference in its parts, normalised as the kubelet sees it: `nginx` is `docker.io` / `library/nginx`. */
export interface ImageReference {
  /** Registry host with its port, in the case it was written; empty for a first component that is no valid host. */
  domain: string
  path: string
  tag?: string
  digest?: string
}

/** A parsed reference, or why there is none, in words for the person who wrote it. */
export type ParsedImageReference = { reference: ImageReference } | { error: string }

const DEFAULT_DOMAIN = 'docker.io'
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io'
const OFFICIAL_REPOSITORY_PREFIX = 'library/'
const MAX_PATH_LENGTH = 255

/** Far above path, tag, digest and any DNS name together; it keeps a hostile text from exhausting the matcher. */
const MAX_REFERENCE_LENGTH = 4096

const DOMAIN_COMPONENT = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?'
const HOST = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[a-fA-F0-9:]+\\])`
const DOMAIN = `${HOST}(?::[0-9]+)?`
const PATH_COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const PATH = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}'
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}'

const REFERENCE = new RegExp(`^(?:(${DOMAIN})/)?(${PATH})(?::(${TAG}))?(?:@(${DIGEST}))?$`)
const IDENTIFIER = /^[a-f0-9]{64}$/
const DIGEST_FORMS = [/^sha256:[a-f0-9]{64}$/, /^sha384:[a-f0-9]{96}$/, /^sha512:[a-f0-9]{128}$/]

/**
 * Parses an image reference by the grammar of distribution/reference v0.6.0 (`ParseNormalizedNamed`), the one that the
 * kubelet uses before it looks a credential up. Nothing is trimmed or lower-cased.
 */
export function parseImageReference (image: string): ParsedImageReference {
  if (image === '') return { error: 'the image is empty' }
  if (image.length > MAX_REFERENCE_LENGTH) return { error: `the image is longer than ${MAX_REFERENCE_LENGTH} characters` }
  if (IDENTIFIER.test(image)) return { error: 'an image can not be named by a bare 64-digit hexadecimal identifier' }
  const { domain, remainder } = splitDomain(image)
  if (hasUpperCase(remainder.split(':', 1)[0] ?? '')) return { error: 'the repository name must be lower case' }
  const match = REFERENCE.exec(`${domain}/${remainder}`)
  if (match === null) return { error: 'it is no valid image reference (host[:port]/path[:tag][@digest])' }
  return checkParts({ domain: match[1] ?? '', path: match[2] ?? '' }, match[3], match[4])
}

/** The name that rules and credentials are matched against: domain and path, without tag and digest. */
export function formatImageName (reference: ImageReference): string {
  return reference.domain === '' ? reference.path : `${reference.domain}/${reference.path}`
}

/** Writes a reference in full, the form that parses to the same parts again. */
export function formatImageReference (reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`
  return formatImageName(reference) + tag + digest
}

function checkParts (name: ImageReference, tag: string | undefined, digest: string | undefined): ParsedImageReference {
  if (name.path.length > MAX_PATH_LENGTH) return { error: `the repository path is longer than ${MAX_PATH_LENGTH} characters` }
  if (digest !== undefined && !DIGEST_FORMS.some((form) => form.test(digest))) {
    return { error: 'the digest is no sha256, sha384 or sha512 digest in lower case' }
  }
  return { reference: { ...name, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) } }
}

function splitDomain (image: string): { domain: string, remainder: string } {
  const slash = image.indexOf('/')
  const first = slash === -1 ? '' : image.slice(0, slash)
  if (!isDomain(first)) return withOfficialPrefix(DEFAULT_DOMAIN, image)
  const domain = first === LEGACY_DEFAULT_DOMAIN ? DEFAULT_DOMAIN : first
  return withOfficialPrefix(domain, image.slice(slash + 1))
}

function isDomain (component: string): boolean {
  return component === 'localhost' || /[.:]/.test(component) || hasUpperCase(component)
}

function withOfficialPrefix (domain: string, remainder: string): { domain: string, remainder: string } {
  const isOfficial = domain === DEFAULT_DOMAIN && !remainder.includes('/')
  return { domain, remainder: isOfficial ? OFFICIAL_REPOSITORY_PREFIX + remainder : remainder }
}

function hasUpperCase (text: string): boolean {
  return text.toLowerCase() !== text
}
