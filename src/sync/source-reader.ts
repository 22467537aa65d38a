import { isUtf8 } from 'node:buffer'
import { SourceError, type ValueReader } from '../core/credential-source.ts'
import type { Secret } from '../core/kube-object.ts'
import { formatObjectKey } from '../core/kube-object.ts'
import type { SecretReference, ValueSource } from '../core/pull-secret-config.ts'
import { formatSourceView, type ClusterView } from './cluster-view.ts'
import type { MountedSources } from './mounted-sources.ts'

/** Reads the Secrets and files that a configuration takes content from, as they were last seen. */
export interface SourceReader extends ValueReader {
  /** @throws SourceError when it is not there, or may not be read */
  readSecret: (source: SecretReference) => Secret
  /** @throws SourceError */
  readFile: (file: string) => Buffer
}

/** Makes a reader of what a view and the mounted files show. */
export function createSourceReader (view: Pick<ClusterView, 'source' | 'isReady' | 'isForbidden'>, files: Pick<MountedSources, 'read'>): SourceReader {
  function readSecret (source: SecretReference): Secret {
    const id = formatSourceView(source)
    const name = formatObjectKey(source)
    if (view.isForbidden(id)) throw new SourceError('SourceForbidden', `the worker may not read Secret ${name}; apply the rights of this configuration: pullkeeper manifests --only rbac`, source)
    if (!view.isReady(id)) throw new SourceError('SourceUnreadable', `Secret ${name} has not been read yet`, source)
    const secret = view.source(source)
    if (secret === undefined) throw new SourceError('SourceMissing', `there is no Secret ${name}; create it`, source)
    return secret
  }

  function readKey ({ key, ...source }: SecretReference & { key: string }): Buffer {
    const value = readSecret(source).data?.[key]
    if (value === undefined) throw new SourceError('SourceMissing', `Secret ${formatObjectKey(source)} has no key "${key}"; add it`, source)
    return Buffer.from(value, 'base64')
  }

  function read ({ secret, file = '' }: ValueSource): string {
    const content = secret === undefined ? files.read(file) : readKey(secret)
    const place = secret === undefined ? file : `key "${secret.key}" of Secret ${formatObjectKey(secret)}`
    const source = secret && { namespace: secret.namespace, name: secret.name }
    if (!isUtf8(content)) throw new SourceError('SourceMalformed', `${place} is not UTF-8; no registry could accept it`, source)
    const value = trimNewline(content)
    if (value === '') throw new SourceError('SourceMalformed', `${place} is empty`, source)
    return value
  }

  return { read, readSecret, readFile: files.read }
}

/** Editors and `echo` end a file with a newline that is no part of the password. */
function trimNewline (value: Buffer): string {
  return value.toString().replace(/\r?\n$/, '')
}
