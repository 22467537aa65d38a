import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url))
const MAX_LINES = 250

/** Dependencies point down only; what stands in one row never depends on its neighbours, but for the composition roots. */
const LAYERS = [
  ['cli', 'sandbox'],
  ['webhook', 'sync', 'register', 'audit'],
  ['kubernetes', 'registries', 'tls', 'observability', 'config'],
  ['core']
]
const COMPOSITION_ROOTS = LAYERS[0] ?? []

interface Import {
  specifier: string
  /** Whether it leaves nothing at run time: `import type`, or nothing but types in braces. */
  isTypeOnly: boolean
}

interface SourceFile {
  /** Below src/. */
  path: string
  layer: string
  text: string
  syntax: ts.SourceFile
  imports: Import[]
}

const isTypeOnly = (clause: ts.ImportClause | ts.ExportDeclaration | undefined): boolean => {
  if (clause === undefined) return false
  if (ts.isExportDeclaration(clause)) return clause.isTypeOnly
  return clause.phaseModifier === ts.SyntaxKind.TypeKeyword
}

const listImports = (syntax: ts.SourceFile): Import[] => {
  const imports: Import[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) addImport(node.moduleSpecifier, isTypeOnly(node.importClause))
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) addImport(node.moduleSpecifier, isTypeOnly(node))
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) addImport(node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) addImport(node.arguments[0], false)
    else if (ts.isCallExpression(node) && node.expression.getText(syntax) === 'require') addImport(node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  const addImport = (specifier: ts.Node | undefined, isTypeOnly: boolean): void => {
    imports.push({ specifier: specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : '(computed)', isTypeOnly })
  }
  visit(syntax)
  return imports
}

const readSource = (path: string): SourceFile => {
  const text = readFileSync(join(SOURCE, path), 'utf8')
  const syntax = ts.createSourceFile(path, text, ts.ScriptTarget.ES2024, true)
  return { path, layer: path.split('/')[0] ?? '', text, syntax, imports: listImports(syntax) }
}

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts')).sort().map(readSource)

const rankOf = (layer: string): number => LAYERS.findIndex((row) => row.includes(layer))
/** The layer that a relative import leads to; undefined for a package. */
const targetOf = ({ path }: SourceFile, specifier: string): string | undefined => {
  return specifier.startsWith('.') ? relative(SOURCE, join(SOURCE, dirname(path), specifier)).split('/')[0] : undefined
}
const mayImport = (from: string, to: string): boolean => {
  return from === to || rankOf(from) < rankOf(to) || (COMPOSITION_ROOTS.includes(from) && COMPOSITION_ROOTS.includes(to))
}
/** Every import of every file, for what is wrong with it. */
const listViolations = (judge: (file: SourceFile, imported: Import) => boolean): string[] => {
  return files.flatMap((file) => file.imports.filter((imported) => judge(file, imported)).map(({ specifier }) => `${file.path} imports ${specifier}`))
}
/** Statements of a file that are exported, with the keyword or in a list at the end. */
const hasModifier = (node: ts.Node, kind: ts.SyntaxKind): boolean => ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind)
const hasDocumentation = (node: ts.Node): boolean => ts.getJSDocCommentsAndTags(node).some((comment) => ts.isJSDoc(comment) && comment.comment !== undefined)
const placeOf = (file: SourceFile, node: ts.Node): string => `${file.path}:${file.syntax.getLineAndCharacterOfPosition(node.getStart(file.syntax)).line + 1}`
const findNodes = (file: SourceFile, predicate: (node: ts.Node) => boolean): string[] => {
  const places: string[] = []
  const visit = (node: ts.Node): void => {
    if (predicate(node)) places.push(placeOf(file, node))
    ts.forEachChild(node, visit)
  }
  visit(file.syntax)
  return places
}

t.test('every file stands in a layer', async (t) => {
  t.ok(files.length > 40)
  t.strictSame(files.filter(({ layer }) => rankOf(layer) < 0).map(({ path }) => path), [])
})

t.test('dependencies point down, and neighbours do not know each other', async (t) => {
  t.strictSame(listViolations((file, { specifier }) => {
    const target = targetOf(file, specifier)
    return target !== undefined && !mayImport(file.layer, target)
  }), [])
})

t.test('core imports itself and node:crypto, and at run time nothing else', async (t) => {
  t.strictSame(listViolations((file, { specifier }) => {
    return file.layer === 'core' && targetOf(file, specifier) !== 'core' && specifier !== 'node:crypto'
  }), [])
})

t.test('core has no clock, no chance, no environment and no output', async (t) => {
  const impure = /\b(Date\.now|new Date\(\)|performance\.|Math\.random|randomBytes|randomUUID|process\.|console\.|setTimeout|setInterval|fetch\()/
  t.strictSame(files.filter(({ layer, text }) => layer === 'core' && impure.test(text)).map(({ path }) => path), [])
})

t.test('nothing that the webhook loads imports the Kubernetes client but as types', async (t) => {
  t.strictSame(listViolations((file, { specifier, isTypeOnly }) => {
    return specifier.startsWith('@kubernetes/client-node') && !isTypeOnly && !['kubernetes', 'sync', 'register'].includes(file.layer)
  }), [])
})

t.test('no import is computed, and Node\'s own modules are named as such', async (t) => {
  t.strictSame(listViolations((_file, { specifier }) => specifier === '(computed)' || builtinModules.includes(specifier)), [])
})

t.test('relative imports name a file with its extension', async (t) => {
  t.strictSame(listViolations((_file, { specifier }) => specifier.startsWith('.') && !/\.(ts|json)$/.test(specifier)), [])
})

t.test('exports have names, and no file only passes others\' on', async (t) => {
  t.strictSame(files.filter(({ path }) => path.endsWith('index.ts')).map(({ path }) => path), [], 'no index.ts')
  const isDefault = (node: ts.Node): boolean => ts.isExportAssignment(node) || hasModifier(node, ts.SyntaxKind.DefaultKeyword)
  t.strictSame(files.flatMap((file) => findNodes(file, isDefault)), [], 'no default export')
  const isStar = (node: ts.Node): boolean => ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && node.exportClause === undefined
  t.strictSame(files.flatMap((file) => findNodes(file, isStar)), [], 'no export *')
})

t.test('unions of literals instead of enums, modules instead of namespaces', async (t) => {
  t.strictSame(files.flatMap((file) => findNodes(file, (node) => ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node))), [])
})

t.test('every export says what it is', async (t) => {
  const isUndocumented = (node: ts.Node): boolean => hasModifier(node, ts.SyntaxKind.ExportKeyword) && !hasDocumentation(node)
  t.strictSame(files.flatMap((file) => findNodes(file, isUndocumented)), [])
})

t.test('files are short and named in kebab-case', async (t) => {
  t.strictSame(files.filter(({ text }) => text.split('\n').length - 1 > MAX_LINES).map(({ path }) => path), [], `at most ${MAX_LINES} lines`)
  t.strictSame(files.filter(({ path }) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(path)).map(({ path }) => path), [])
})
