/** Which ports are free on this computer right now. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

export type Protocol = 'TCP' | 'UDP'
export type IsFree = (protocol: Protocol, port: number) => Promise<boolean>

/** Opens the port on all addresses for a moment; true when that works. */
export const isFree: IsFree = (protocol, port) => (protocol === 'TCP' ? tcpIsFree(port) : udpIsFree(port))

async function tcpIsFree(port: number): Promise<boolean> {
  const server = createServer()
  server.listen(port)
  const opened = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (!opened) return false
  server.close()
  await once(server, 'close')
  return true
}

async function udpIsFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  socket.bind(port)
  const opened = await once(socket, 'listening').then(
    () => true,
    () => false,
  )
  socket.close()
  return opened
}

const TRIES = 50

/** `wanted`, or the next port after it that is free; `wanted` again when none of the next fifty is. */
export async function nextFree(protocol: Protocol, wanted: number, free: IsFree = isFree): Promise<number> {
  for (let port = wanted; port < Math.min(wanted + TRIES, 65536); port++) if (await free(protocol, port)) return port
  return wanted
}
