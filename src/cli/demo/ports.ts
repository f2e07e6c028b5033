/** Free ports on loopback. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

const HOST = '127.0.0.1'

/** `wanted` when it is free, else any free one. */
export async function freeTcpPort(wanted: number): Promise<number> {
  return (await tryTcpPort(wanted)) ?? (await tryTcpPort(0))!
}

async function tryTcpPort(wanted: number): Promise<number | null> {
  const server = createServer()
  try {
    server.listen(wanted, HOST)
    await once(server, 'listening')
  } catch (error) {
    if (wanted === 0) throw error
    return null
  }
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, HOST)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
