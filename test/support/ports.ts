/** Ports for programs that cannot choose a free port. Prefer port 0 wherever the program prints its port. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import process from 'node:process'

/**
 * Below the ports that systems give to outgoing connections and to port 0, which other tests use at the same time: such a
 * port could be taken between the look here and the start of the program. Browsers refuse port 10080.
 */
const FIRST = 10_112
const LAST = 32_000
/**
 * Test files run in several processes; each takes every 16th port, and none twice, also while a program starts again. The
 * runner gives each process a slot of its own.
 */
const STRIPES = 16
const stripe = Number(process.env.FOOTMAN_TEST_SLOT ?? process.pid) % STRIPES
const ATTEMPTS = 100
const taken = new Set<number>()

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export const freeTcpPort = (): Promise<number> =>
  firstFree(async (port) => {
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
  })

/** A UDP port of 127.0.0.1 that was free a moment ago. */
export const freeUdpPort = (): Promise<number> => firstFree(bindUdp)

/** Whether this UDP port of 127.0.0.1 can be bound now. */
export const isUdpPortFree = (port: number): Promise<boolean> =>
  bindUdp(port).then(
    () => true,
    () => false,
  )

async function bindUdp(port: number): Promise<void> {
  const socket = createSocket('udp4')
  const listening = once(socket, 'listening')
  socket.bind(port, '127.0.0.1')
  await listening
  socket.close()
  await once(socket, 'close')
}

/** A random port for which `use` resolves. */
async function firstFree(use: (port: number) => Promise<void>): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const port = randomInt(FIRST / STRIPES, LAST / STRIPES) * STRIPES + stripe
    if (taken.has(port)) continue
    try {
      await use(port)
      taken.add(port)
      return port
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}
