import { watchMountedFiles, type MountedFiles } from '../config/mounted-files.ts'
import { SourceError } from '../core/credential-source.ts'
import type { PullSecretConfig } from '../core/pull-secret-config.ts'
import { listValueSources } from '../core/source-secrets.ts'

/** Files that credentials come from, as they were last read. */
export interface MountedSources {
  /** @throws SourceError when the file can not be read */
  read: (file: string) => Buffer
  /** Follows these files only; resolves when each has been looked at. */
  follow: (files: string[]) => Promise<void>
  close: () => void
}

interface FollowedFile {
  files: MountedFiles
  content?: Buffer
  failure?: string
}

/** Watches mounted files; `onChange` is told of each that has another content, or none any more. */
export function createMountedSources (onChange: (file: string) => void): MountedSources {
  const followed = new Map<string, FollowedFile>()

  function open (file: string): FollowedFile {
    const entry: Omit<FollowedFile, 'files'> = {}
    const files = watchMountedFiles([file], [], {
      onChange ([content]) {
        if (content !== undefined) entry.content = content
        delete entry.failure
        onChange(file)
      },
      onError (error: NodeJS.ErrnoException) {
        const failure = error.code ?? error.name
        if (entry.failure === failure) return
        entry.failure = failure
        onChange(file)
      }
    })
    return Object.assign(entry, { files })
  }

  function close (file: string): void {
    followed.get(file)?.files.close()
    followed.delete(file)
  }

  return {
    read (file) {
      const { content, failure } = followed.get(file) ?? {}
      if (failure === 'ENOENT') throw new SourceError('SourceMissing', `${file}: no such file; mount it`)
      if (failure !== undefined || content === undefined) throw new SourceError('SourceUnreadable', `${file} can not be read (${failure ?? 'not yet'})`)
      return content
    },
    async follow (files) {
      for (const file of followed.keys()) if (!files.includes(file)) close(file)
      await Promise.all(files.filter((file) => !followed.has(file)).map(async (file) => {
        const entry = open(file)
        followed.set(file, entry)
        await entry.files.check()
      }))
    },
    close () { for (const file of [...followed.keys()]) close(file) }
  }
}

/** The mounted files that a configuration takes content from, each once. */
export function listSourceFiles ({ pullSecrets }: Pick<PullSecretConfig, 'pullSecrets'>): string[] {
  const files = pullSecrets.flatMap(({ copyFrom, registries = [] }) => [
    copyFrom?.file, ...registries.flatMap(({ credential }) => listValueSources(credential).map(({ file }) => file))
  ])
  return [...new Set(files.filter((file) => file !== undefined))]
}
