import { pino, type Logger } from 'pino'

/** What the processes log with: JSON lines on stderr, so that stdout stays free for decision records. */
export type ProcessLog = Pick<Logger, 'info' | 'warn' | 'error'>

/** Makes the process log; an error shows its message and code only, since headers and bodies may hold secrets. */
export function createProcessLog (level: string, destination: NodeJS.WritableStream = process.stderr): ProcessLog {
  return pino({
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError }
  }, destination)
}

function describeError (error: Error & { code?: string }): object {
  return { message: error.message, ...(error.code !== undefined && { code: error.code }) }
}
