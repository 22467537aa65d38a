import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'

/** Reads a file, or standard input for `-`, which may be a pipe, a file or a socket. */
export async function readInput (file: string): Promise<Buffer> {
  return file === '-' ? buffer(process.stdin) : readFile(file)
}

/** What messages call an input. */
export function nameInput (file: string): string {
  return file === '-' ? 'stdin' : file
}
