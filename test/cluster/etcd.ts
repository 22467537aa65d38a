import { readdir, readFile } from 'node:fs/promises'

const CLIENT_URL = /--listen-client-urls=(http:\/\/[^\0]+)/

/** Where the etcd of this process's one control plane serves its clients; known by the command line of the child (Linux). */
export async function findEtcdUrl (): Promise<string> {
  const urls = (await listChildren()).flatMap((commandLine) => CLIENT_URL.exec(commandLine)?.[1] ?? [])
  if (urls.length !== 1 || urls[0] === undefined) throw new Error(`this process should have one etcd, and it has ${urls.length}`)
  return urls[0]
}

async function listChildren (): Promise<string[]> {
  const threads = await readdir('/proc/self/task')
  const children = await Promise.all(threads.map(async (thread) => readFile(`/proc/self/task/${thread}/children`, 'utf8')))
  const pids = children.join(' ').split(' ').filter((pid) => pid !== '')
  return Promise.all(pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}

/** Forgets all history up to now (https://etcd.io/docs/v3.5/op-guide/maintenance/#history-compaction-v3-api-key-value-database, by its JSON gateway). */
export async function compactEtcd (url: string): Promise<void> {
  const { header } = await post<{ header: { revision: string } }>(`${url}/v3/kv/range`, { key: Buffer.from('none').toString('base64') })
  await post(`${url}/v3/kv/compaction`, { revision: header.revision, physical: true })
}

async function post<T> (url: string, body: object): Promise<T> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return await response.json() as T
}
