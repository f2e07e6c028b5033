/** The network between one node and its database, which can fall silent or be cut. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface DatabaseProxy extends AsyncDisposable {
  readonly port: number
  /** Connections stay open, new ones are taken, and nothing goes through. */
  silence(): void
  /** Connections are reset and new ones refused. */
  cut(): Promise<void>
  /** All is well again. Bytes that were held back during a silence are delivered. */
  heal(): Promise<void>
}

/** `target`: port of the server on this machine. */
export async function startDatabaseProxy(target: number): Promise<DatabaseProxy> {
  const pairs = new Set<readonly [inner: Socket, outer: Socket]>()
  let isSilent = false
  let server: Server | null = null
  let port = 0

  function join(outer: Socket): void {
    const inner = connect({ host: '127.0.0.1', port: target, noDelay: true })
    outer.setNoDelay(true)
    const pair = [inner, outer] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      inner.destroy()
      outer.destroy()
    }
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause()
      })
      to.on('drain', () => {
        if (!isSilent) from.resume()
      })
      // The end of a connection is a message too, which does not get through while the network is silent.
      from.on('close', () => {
        if (!isSilent) end()
      })
      from.on('error', () => undefined)
      if (isSilent) from.pause()
    }
  }

  async function open(): Promise<void> {
    if (server) return
    server = createServer(join).listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }

  async function cut(): Promise<void> {
    isSilent = false
    const closing = server
    server = null
    for (const [inner, outer] of pairs) {
      inner.destroy()
      outer.resetAndDestroy()
    }
    pairs.clear()
    if (!closing) return
    closing.close()
    await once(closing, 'close')
  }

  await open()
  return {
    get port() {
      return port
    },
    silence() {
      isSilent = true
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    cut,
    async heal() {
      isSilent = false
      for (const pair of pairs) {
        for (const socket of pair) socket.resume()
        // Connections that ended during the silence end now on the other side.
        if (pair.some((socket) => socket.destroyed)) for (const socket of pair) socket.destroy()
      }
      await open()
    },
    [Symbol.asyncDispose]: cut,
  }
}
