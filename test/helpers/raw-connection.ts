import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { within } from './eventually.ts'

/** A TLS connection over which a test speaks HTTP by hand. */
export interface RawConnection {
  socket: TLSSocket
  /** SHA-256 fingerprint of the certificate that the server showed. */
  servedBy: string
  write: (text: string | Buffer) => void
  /** Everything that comes until the server closes the connection. */
  readToEnd: () => Promise<string>
  /** The next answer with a content length: status line, headers and body as they came. */
  readAnswer: () => Promise<string>
  /** Cuts the connection without saying goodbye. */
  cut: () => void
}

/** Connects to a server whose certificate `ca` signed. */
export async function openRawConnection (url: string, ca: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ca, ALPNProtocols: ['http/1.1'] })
  let received = ''
  let error: Error | undefined
  await once(socket, 'secureConnect')
  const servedBy = socket.getPeerX509Certificate()?.fingerprint256 ?? ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => { received += chunk })
  socket.on('error', (cause) => { error = cause })

  async function readAnswer (): Promise<string> {
    for (;;) {
      const length = measureAnswer(received)
      if (length !== undefined && received.length >= length) {
        const answer = received.slice(0, length)
        received = received.slice(length)
        return answer
      }
      if (socket.closed) throw new Error(`the connection ended after ${JSON.stringify(received)}: ${error?.message}`)
      await Promise.race([once(socket, 'data'), once(socket, 'close')])
    }
  }

  async function readToEnd (): Promise<string> {
    if (!socket.closed) await once(socket, 'close')
    return received
  }

  return {
    socket,
    servedBy,
    write: (text) => { socket.write(text) },
    readAnswer: async () => within('an answer', readAnswer()),
    readToEnd: async () => within('the end of the connection', readToEnd()),
    cut: () => { socket.destroy() }
  }
}

function measureAnswer (received: string): number | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [, length] = /^content-length: *(\d+)/im.exec(received.slice(0, end)) ?? []
  return end + 4 + Number(length ?? 0)
}
