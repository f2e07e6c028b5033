/** Receiving UDP over `node:dgram`. */
import { createSocket } from 'node:dgram'
import { familyOf, toListenError } from './listen-error.ts'

export interface UdpSettings {
  /** IPv4 or IPv6 address to bind, or a name that resolves to one of this machine. */
  readonly host: string
  readonly port: number
  /** Asked of the operating system, which may grant less. */
  readonly receiveBufferBytes: number
  /** `bytes` is the receiver's own; `address` is IPv4 in dotted form even on a dual-stack socket. */
  readonly onDatagram: (bytes: Uint8Array, address: string, port: number) => void
  /** The socket failed after it was bound; it is closed. */
  readonly onError: (error: Error) => void
}

export interface UdpSocket {
  readonly address: string
  readonly port: number
  /** Bytes granted by the operating system, in the unit that was asked for. */
  readonly receiveBuffer: number
  close(): Promise<void>
}

/** Rejects with a `ListenError` when the port cannot be opened. */
export async function bindUdp(settings: UdpSettings): Promise<UdpSocket> {
  const target = { protocol: 'UDP', address: settings.host, port: settings.port } as const
  const family = await familyOf(target)
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', recvBufferSize: settings.receiveBufferBytes })
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= new Promise<void>((resolve) => {
      try {
        socket.close(() => resolve())
      } catch {
        resolve()
      }
    })
    return closed
  }

  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address: settings.host, port: settings.port, exclusive: true }, () => {
        socket.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    await close()
    throw toListenError(target, error)
  }

  socket.on('error', (error) => {
    if (closed) return
    void close()
    settings.onError(error)
  })
  socket.on('message', (message, remote) => {
    if (closed) return
    settings.onDatagram(own(message), remote.address.replace(/^::ffff:(?=\d+\.)/i, ''), remote.port)
  })

  const { address, port } = socket.address()
  return { address, port, receiveBuffer: grantedBuffer(() => socket.getRecvBufferSize()), close }
}

/** Some runtimes hand out views on a large shared buffer; keeping such a view would keep all of it. */
function own(message: Uint8Array): Uint8Array {
  return message.buffer.byteLength === message.byteLength ? message : new Uint8Array(message)
}

/** Linux reports twice the usable size, as it counts its own bookkeeping. */
function grantedBuffer(read: () => number): number {
  try {
    return process.platform === 'linux' ? read() / 2 : read()
  } catch {
    return 0
  }
}
