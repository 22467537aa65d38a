import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { LineCounter, parseDocument } from 'yaml'
import { asArray, asObject, asString, type UnknownObject } from '../core/unknown.ts'

type Lists = Record<'clusters' | 'users' | 'contexts', unknown[]> & { 'current-context': string | undefined }

const PATH_FIELDS = ['certificate-authority', 'client-certificate', 'client-key']

/**
 * Reads a kubeconfig, or what kubectl would read without one being named: the files of `KUBECONFIG`, of which the first that
 * says something wins, else `~/.kube/config`.
 * The official client is given what it lacks: `tokenFile`, files relative to the kubeconfig, what an exec plugin needs to know.
 * Throws an error that says what is wrong, without a word of the file's content: it holds credentials.
 */
export function readKubeconfig (file: string | undefined): KubeConfig {
  const config = new KubeConfig()
  config.loadFromString(JSON.stringify(file === undefined ? mergeFiles(listDefaultFiles()) : readLists(file)))
  return config
}

function listDefaultFiles (): string[] {
  const files = (process.env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '')
  return files.length > 0 ? files : [join(homedir(), '.kube', 'config')]
}

function mergeFiles (files: string[]): Lists {
  const found = files.flatMap((file) => readIfPresent(file) ?? [])
  if (found.length === 0) throw new Error(`there is no kubeconfig (${files.join(', ')}): name one with --kubeconfig or KUBECONFIG`)
  return {
    clusters: found.flatMap(({ clusters }) => clusters),
    users: found.flatMap(({ users }) => users),
    contexts: found.flatMap(({ contexts }) => contexts),
    'current-context': found.map((lists) => lists['current-context']).find((name) => name !== undefined)
  }
}

function readIfPresent (file: string): Lists | undefined {
  try {
    return readLists(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function readLists (file: string): Lists {
  const config = parse(file, readFileSync(file, 'utf8'))
  const directory = dirname(resolve(file))
  return {
    clusters: mapEntries(config['clusters'], 'cluster', (cluster) => completeCluster(cluster, directory)),
    users: mapEntries(config['users'], 'user', (user) => completeUser(user, directory)),
    contexts: asArray(config['contexts']).filter((entry) => asObject(asObject(entry)?.['context']) !== undefined),
    'current-context': asString(config['current-context']) || undefined
  }
}

function parse (file: string, text: string): UnknownObject {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const [error] = document.errors
  if (error !== undefined) throw new Error(`${file} is not valid YAML: line ${lineCounter.linePos(error.pos[0]).line}: ${error.code}`)
  const config = asObject(document.toJS())
  if (config === undefined) throw new Error(`${file} is no kubeconfig`)
  return config
}

function mapEntries (entries: unknown, field: string, complete: (value: UnknownObject) => UnknownObject): unknown[] {
  return asArray(entries).flatMap((entry) => {
    const named = asObject(entry)
    return named === undefined ? [] : { ...named, [field]: complete(asObject(named[field]) ?? {}) }
  })
}

function completeCluster (cluster: UnknownObject, directory: string): UnknownObject {
  const server = asString(cluster['server']) ?? ''
  // The official client refuses plain HTTP, such as that of kubectl proxy, unless it is told not to verify it.
  return { ...resolvePaths(cluster, directory), ...(server.startsWith('http:') && { 'insecure-skip-tls-verify': true }) }
}

function completeUser (user: UnknownObject, directory: string): UnknownObject {
  const { tokenFile, exec, ...rest } = resolvePaths(user, directory)
  const plugin = asObject(exec)
  return {
    ...rest,
    ...(plugin !== undefined && { exec: completePlugin(plugin, directory) }),
    // As with client-go the file wins over a token that is written out.
    ...(typeof tokenFile === 'string' && { token: undefined, 'auth-provider': { name: 'tokenFile', config: { tokenFile: resolve(directory, tokenFile) } } })
  }
}

function resolvePaths (value: UnknownObject, directory: string): UnknownObject {
  const paths = PATH_FIELDS.flatMap((field) => typeof value[field] === 'string' && value[field] !== '' ? [[field, resolve(directory, value[field])] as const] : [])
  return { ...value, ...Object.fromEntries(paths) }
}

/** `KUBERNETES_EXEC_INFO` by https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins. */
function completePlugin (exec: UnknownObject, directory: string): UnknownObject {
  const info = { kind: 'ExecCredential', apiVersion: exec['apiVersion'], spec: { interactive: false } }
  const command = asString(exec['command']) ?? ''
  return {
    ...exec,
    command: command.includes('/') ? resolve(directory, command) : command,
    env: [...asArray(exec['env']), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }]
  }
}
