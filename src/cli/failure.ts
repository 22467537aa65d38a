/** Says what went wrong to the person at the terminal: never a stack trace. */
export function describeFailure (error: NodeJS.ErrnoException & { port?: number }): string {
  switch (error.code) {
    case 'ENOENT': return `${error.path}: no such file or directory`
    case 'EACCES': return error.port === undefined ? `${error.path}: permission denied` : `port ${error.port}: permission denied; use one above 1023`
    case 'EISDIR': return `${error.path ?? 'the path'} is a directory, a file is needed`
    case 'EADDRINUSE': return `port ${error.port} is in use by another process; choose another one`
    default: return error.message
  }
}
