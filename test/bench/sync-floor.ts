/* The floor of the benchmark `sync`: writes one Secret in each namespace over pooled keep-alive connections, and nothing else. */
import { readFileSync } from 'node:fs'
import { Pool } from 'undici'

const [mode, file, name, inFlight] = process.argv.slice(2) as ['post' | 'apply', string, string, string]
const { url, caCertificate, token, namespaces, body } = JSON.parse(readFileSync(file, 'utf8')) as {
  url: string, caCertificate: string, token: string, namespaces: string[], body: { metadata: object }
}
const pool = new Pool(url, { connections: Number(inFlight), connect: { ca: caCertificate }, allowH2: false })
const headers = { authorization: `Bearer ${token}`, 'content-type': mode === 'post' ? 'application/json' : 'application/apply-patch+yaml' }
const waiting = namespaces.values()

async function write (namespace: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/secrets`
  const content = JSON.stringify({ ...body, metadata: { ...body.metadata, name, namespace } })
  const answer = mode === 'post'
    ? await pool.request({ method: 'POST', path, headers, body: content })
    : await pool.request({ method: 'PATCH', path: `${path}/${name}?fieldManager=pullkeeper&force=true`, headers, body: content })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`${answer.statusCode}: ${text}`)
}

await Promise.all(Array.from({ length: Number(inFlight) }, async () => { for (const namespace of waiting) await write(namespace) }))
await pool.close()
