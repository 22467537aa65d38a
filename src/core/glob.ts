type Token = { kind: 'star' } | { kind: 'any' } | { kind: 'class', negated: boolean, ranges: [string, string][] } | { kind: 'literal', char: string }

/**
 * A compiled glob: the text itself where nothing in it is special, `undefined` where Go's `path.Match` calls the
 * pattern bad, which then matches nothing.
 */
export type Glob = string | readonly Token[] | undefined

/**
 * Compiles a glob with the syntax of Go's `path.Match`, which the kubelet applies to each host label: `*` any run of
 * characters, `?` one character, `[a-z]` and `[^a-z]` classes, `\` before a literal.
 */
export function compileGlob (pattern: string): Glob {
  const tokens: Token[] = []
  let at = 0
  while (at < pattern.length) {
    const parsed = readToken(pattern, at)
    if (parsed === undefined) return undefined
    tokens.push(parsed.token)
    at = parsed.next
  }
  return tokens.every(isLiteral) ? tokens.map(({ char }) => char).join('') : tokens
}

/** Whether the whole text matches; at most pattern length times text length steps, so hostile text costs little. */
export function matchesGlob (glob: Glob, text: string): boolean {
  if (glob === undefined || typeof glob === 'string') return glob === text
  if (glob.length === 1 && glob[0]?.kind === 'star') return true
  let token = 0
  let at = 0
  let star = -1
  let starAt = 0
  while (at < text.length || token < glob.length) {
    const current = glob[token]
    if (current?.kind === 'star') {
      star = token++
      starAt = at
    } else if (current !== undefined && at < text.length && matchesCharacter(current, text.charAt(at))) {
      token++
      at++
    } else if (star !== -1 && starAt < text.length) {
      token = star + 1
      at = ++starAt
    } else return false
  }
  return true
}

function isLiteral (token: Token): token is Extract<Token, { kind: 'literal' }> {
  return token.kind === 'literal'
}

function matchesCharacter (token: Exclude<Token, { kind: 'star' }>, char: string): boolean {
  if (token.kind === 'any') return true
  if (token.kind === 'literal') return token.char === char
  return token.ranges.some(([low, high]) => low <= char && char <= high) !== token.negated
}

function readToken (pattern: string, at: number): { token: Token, next: number } | undefined {
  const char = pattern.charAt(at)
  if (char === '*') return { token: { kind: 'star' }, next: at + 1 }
  if (char === '?') return { token: { kind: 'any' }, next: at + 1 }
  if (char === '[') return readClass(pattern, at + 1)
  const literal = readCharacter(pattern, at)
  return literal && { token: { kind: 'literal', char: literal.char }, next: literal.next }
}

function readCharacter (pattern: string, at: number): { char: string, next: number } | undefined {
  const from = pattern.charAt(at) === '\\' ? at + 1 : at
  return from < pattern.length ? { char: pattern.charAt(from), next: from + 1 } : undefined
}

function readClass (pattern: string, start: number): { token: Token, next: number } | undefined {
  const negated = pattern.charAt(start) === '^'
  const ranges: [string, string][] = []
  let at = negated ? start + 1 : start
  while (pattern.charAt(at) !== ']' || ranges.length === 0) {
    const low = readRangeEnd(pattern, at)
    const high = low !== undefined && pattern.charAt(low.next) === '-' ? readRangeEnd(pattern, low.next + 1) : low
    if (low === undefined || high === undefined) return undefined
    ranges.push([low.char, high.char])
    at = high.next
  }
  return { token: { kind: 'class', negated, ranges }, next: at + 1 }
}

function readRangeEnd (pattern: string, at: number): { char: string, next: number } | undefined {
  const char = pattern.charAt(at)
  return char === '-' || char === ']' ? undefined : readCharacter(pattern, at)
}
