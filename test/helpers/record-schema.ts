import { readFileSync } from 'node:fs'
import { Ajv2020, type SchemaObject } from 'ajv/dist/2020.js'

const SCHEMA_FILE = new URL('../../src/core/decision-record.schema.json', import.meta.url)
const validate = new Ajv2020({ allErrors: true, strict: true, strictRequired: false }).compile(JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')) as SchemaObject)

/** Everything by which a record breaks the published schema. */
export function listSchemaErrors (record: unknown): string[] {
  validate(record)
  return (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`)
}
