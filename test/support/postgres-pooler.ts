/** A way to PostgreSQL, without TLS, on which notifications are lost as behind a pooler that works by transaction. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const NOTIFICATION = 'A'.charCodeAt(0)

export interface Pooler extends AsyncDisposable {
  readonly port: number
}

export async function startPooler(target: number): Promise<Pooler> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const up = connect(target, '127.0.0.1')
    const filter = withoutNotifications((message) => void client.write(message))
    client.on('data', (chunk) => void up.write(chunk))
    up.on('data', filter)
    for (const [one, other] of [
      [client, up],
      [up, client],
    ] as const) {
      sockets.add(one)
      one.on('close', () => other.destroy())
      one.on('error', () => other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** Passes on the messages of the server: a letter, a length that counts itself, and the rest. Chunks may begin anywhere. */
function withoutNotifications(pass: (message: Uint8Array) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 5) {
      const end = 1 + rest.readUInt32BE(1)
      if (rest.length < end) return
      if (rest[0] !== NOTIFICATION) pass(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
  }
}
