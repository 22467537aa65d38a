import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** A ConfigMap or Secret as the kubelet mounts it. */
export interface MountedVolume {
  /** The path of a file, as a process names it. */
  path: (name: string) => string
  /** Publishes new content of all files at once. */
  swap: (files: Record<string, string>) => Promise<void>
}

/**
 * Lays files out as the kubelet's atomic writer does (https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util): links to
 * `..data/NAME`, and `..data` a link to a directory that is replaced by a rename.
 */
export async function createMountedVolume (directory: string, files: Record<string, string>): Promise<MountedVolume> {
  await mkdir(directory, { recursive: true })
  let current: string | undefined

  async function swap (changed: Record<string, string>): Promise<void> {
    const next = await mkdtemp(join(directory, '..version-'))
    for (const [name, content] of Object.entries(changed)) await writeFile(join(next, name), content)
    await symlink(basename(next), join(directory, '..data_tmp'))
    await rename(join(directory, '..data_tmp'), join(directory, '..data'))
    if (current !== undefined) await rm(current, { recursive: true })
    current = next
  }

  await swap(files)
  for (const name of Object.keys(files)) await symlink(join('..data', name), join(directory, name))
  return { path: (name) => join(directory, name), swap }
}
