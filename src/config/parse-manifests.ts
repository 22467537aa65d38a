import { parseAllDocuments } from 'yaml'

const MAX_ALIASES = 100

/** Parses Kubernetes manifests, YAML with any number of documents or JSON; throws an Error with file and line. */
export function parseAllManifests (text: string, file: string): unknown[] {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  const error = documents.flatMap((document) => document.errors)[0]
  if (error !== undefined) throw new Error(`${file}:${error.linePos?.[0].line ?? 1}: no valid YAML: ${error.message.split('\n', 1)[0]?.replace(/ at line .*$/, '')}`)
  return documents.map((document): unknown => document.toJS({ maxAliasCount: MAX_ALIASES }))
}
