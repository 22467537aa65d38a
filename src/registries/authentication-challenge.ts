/** One way of authentication that a server offers. */
export interface AuthenticationChallenge {
  /** In lower case, such as `basic` or `bearer`. */
  scheme: string
  /** Names in lower case; of a name that stands twice the last value. */
  parameters: Record<string, string>
}

const TOKEN = '[A-Za-z0-9!#$%&\'*+.^_`|~-]+'
const QUOTED = '"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)"'
const PARAMETER = new RegExp(`[\\s,]*(${TOKEN})\\s*=\\s*(?:${QUOTED}|(${TOKEN}))`, 'y')
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?: +[A-Za-z0-9._~+/-]+=*(?=\\s*(?:,|$)))?`, 'y')

/**
 * Reads the values of `WWW-Authenticate` (RFC 9110, 11.6.1): one or several challenges in each of one or several
 * headers. What can't be read ends its header; the challenges before it count.
 */
export function parseAuthenticationChallenges (headers: string | string[] | undefined): AuthenticationChallenge[] {
  return [headers ?? []].flat().flatMap(parseHeader)
}

function parseHeader (header: string): AuthenticationChallenge[] {
  const challenges: AuthenticationChallenge[] = []
  let at = 0
  while (at < header.length) {
    const current = challenges.at(-1)
    const parameter = current && matchAt(PARAMETER, header, at)
    const scheme = parameter ? undefined : matchAt(SCHEME, header, at)
    if (current && parameter) current.parameters[parameter[1]?.toLowerCase() ?? ''] = unquote(parameter[2]) ?? parameter[3] ?? ''
    else if (scheme) challenges.push({ scheme: scheme[1]?.toLowerCase() ?? '', parameters: {} })
    else break
    at += (parameter ?? scheme)?.[0].length ?? header.length
  }
  return challenges
}

function matchAt (pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(text) ?? undefined
}

function unquote (text: string | undefined): string | undefined {
  return text?.replace(/\\(.)/g, '$1')
}
