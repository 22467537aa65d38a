import { createHash } from 'node:crypto'
import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document, type Node, type YAMLParseError } from 'yaml'
import { listConfigProblems, type ConfigProblem } from '../core/config-problems.ts'
import type { PullSecretConfig } from '../core/pull-secret-config.ts'
import { asArray, asObject, asString, type UnknownObject } from '../core/unknown.ts'
import { applyDefaults } from './defaults.ts'
import { isConfigDocument, listSchemaProblems } from './schema-problems.ts'

/** A problem with its place in the file; line and column count from 1. */
export interface LocatedProblem extends ConfigProblem {
  line: number
  column: number
}

/** What was found in a configuration file; `config` is there when no problem is an error. */
export interface ConfigReport {
  file: string
  /** SHA-256 of the file's bytes, lower-case hex, as `sha256sum` prints it. */
  hash: string
  problems: LocatedProblem[]
  config?: PullSecretConfig
}

/** More aliases than any configuration needs; a bound against files that expand to gigabytes. */
const MAX_ALIASES = 100

/** Lengths of the paths `rules/0` and `rules/0/name`. */
const ITEM_DEPTH = 2
const ITEM_KEY_DEPTH = 3

/** Parses and checks a configuration file's content; finds every problem at once and never throws. */
export function parseConfig (content: Buffer | string, file: string): ConfigReport {
  const hash = createHash('sha256').update(content).digest('hex')
  const lineCounter = new LineCounter()
  const document = parseDocument(content.toString(), { lineCounter, uniqueKeys: true, prettyErrors: false })
  if (document.errors.length > 0) {
    return { file, hash, problems: document.errors.map((error) => locateAt(lineCounter, error.pos[0], describeYamlError(error))) }
  }
  const plain = toPlain(document)
  const { config, problems } = plain instanceof Error ? { problems: [describeAliasError(plain)] } : checkDocument(plain)
  const located = problems.map((problem) => locateAt(lineCounter, findOffset(document, problem.path), problem))
  located.sort((a, b) => a.line - b.line || a.column - b.column)
  return { file, hash, problems: located, ...(config !== undefined && { config }) }
}

/** A problem as compilers print it: `FILE:LINE:COLUMN: error: path: message`. */
export function formatProblem (file: string, { line, column, severity, path, message }: LocatedProblem): string {
  const subject = path.length === 0 ? '' : `${formatPath(path)}: `
  return `${file}:${line}:${column}: ${severity}: ${subject}${message}`
}

/** Whether a report holds an error, which keeps the configuration from being used. */
export function hasErrors ({ problems }: ConfigReport): boolean {
  return problems.some(({ severity }) => severity === 'error')
}

function checkDocument (plain: unknown): { config?: PullSecretConfig, problems: ConfigProblem[] } {
  const schemaProblems = listSchemaProblems(plain)
  if (isConfigDocument(plain)) {
    const config = applyDefaults(plain)
    const problems = listConfigProblems(config)
    return problems.some(({ severity }) => severity === 'error') ? { problems } : { config, problems }
  }
  return { problems: [...schemaProblems, ...checkRepaired(plain, schemaProblems)] }
}

/**
 * Checks what the schema can not express also in a document that breaks the schema, so that its author sees all errors
 * at once: what the schema refused is taken out first, and nothing is said of an item that lost something.
 */
function checkRepaired (plain: unknown, schemaProblems: ConfigProblem[]): ConfigProblem[] {
  const repaired = repair(plain, schemaProblems)
  if (!isConfigDocument(repaired)) return []
  return listConfigProblems(applyDefaults(repaired)).filter((problem) => !schemaProblems.some(({ path }) => followsFrom(problem, path)))
}

/** Whether a problem may only be there because what stands at a refused path was taken out. */
function followsFrom ({ path, severity }: ConfigProblem, refused: (string | number)[]): boolean {
  const isBelow = refused.slice(0, ITEM_KEY_DEPTH).every((step, index) => path[index] === step)
  const isItem = path.length === ITEM_DEPTH && path.every((step, index) => refused[index] === step)
  const isReference = refused[0] === 'pullSecrets' && severity === 'warning' && path[2] === 'pullSecrets'
  return isBelow || isItem || isReference
}

function repair (plain: unknown, schemaProblems: ConfigProblem[]): unknown {
  const document = structuredClone(asObject(plain) ?? {})
  for (const { path: [top, index, key] } of schemaProblems) {
    const item = typeof index === 'number' ? asObject(asArray(document[String(top)])[index]) : undefined
    if (item !== undefined && key !== undefined) Reflect.deleteProperty(item, key)
    else if (typeof index !== 'number' && top !== undefined) Reflect.deleteProperty(document, top)
  }
  return {
    ...document,
    apiVersion: 'pullkeeper.dev/v1alpha1',
    kind: 'PullSecretConfig',
    rules: asArray(document.rules).map((rule, index) => completeItem(rule, index, { pullSecrets: [] })),
    pullSecrets: asArray(document.pullSecrets).map((pullSecret, index) => completeItem(pullSecret, index, {}))
  }
}

function completeItem (item: unknown, index: number, required: UnknownObject): UnknownObject {
  const object = asObject(item) ?? {}
  return { ...required, ...object, name: asString(object.name) ?? `unnamed-${index}` }
}

/** The document as plain values, or why an alias keeps it from being that: without an anchor, or with too many uses. */
function toPlain (document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    return error
  }
}

function describeAliasError ({ message }: Error): ConfigProblem {
  return { severity: 'error', path: [], message: `an alias can not be resolved: ${message}` }
}

function describeYamlError ({ code, message }: YAMLParseError): ConfigProblem {
  const text = code === 'MULTIPLE_DOCS' ? 'the file holds several documents; a configuration is one' : `no valid YAML: ${message}`
  return { severity: 'error', path: [], message: text }
}

function locateAt (lineCounter: LineCounter, offset: number, problem: ConfigProblem): LocatedProblem {
  const { line, col } = lineCounter.linePos(offset)
  return { ...problem, line: Math.max(line, 1), column: Math.max(col, 1) }
}

/** The offset of the key that a path ends with, or of the nearest thing above it that stands in the file. */
function findOffset (document: Document, path: (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const offset = findKeyOffset(document, path.slice(0, length)) ?? offsetOf(document.getIn(path.slice(0, length), true))
    if (offset !== undefined) return offset
  }
  return offsetOf(document.contents) ?? 0
}

function findKeyOffset (document: Document, path: (string | number)[]): number | undefined {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  if (!isMap(parent)) return undefined
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)))
  return isPair(pair) ? offsetOf(pair.key) : undefined
}

function offsetOf (node: unknown): number | undefined {
  return (node as Node | undefined)?.range?.[0]
}

function formatPath (path: (string | number)[]): string {
  return path.map((step) => typeof step === 'number' ? `[${step}]` : `.${step}`).join('').replace(/^\./, '')
}
