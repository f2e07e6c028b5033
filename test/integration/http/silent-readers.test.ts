/** Event streams whose reader takes nothing: not only the place is free again, the connection ends, too. */
import { afterEach, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createEventStreams } from '../../../src/http/endpoint/event-stream.ts'
import { serveHttp } from '../../../src/platform/http-server.ts'
import { certificatePair } from '../../support/certificates.ts'
import { until, within } from '../../support/wait.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** Connects, asks for the stream, and reads no byte of the answer. */
function silentReader(scheme: string, port: number): void {
  const ask = (): void => {
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    socket.pause()
  }
  const socket: Socket =
    scheme === 'http'
      ? connect(port, '127.0.0.1', ask)
      : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, ask)
  socket.on('error', () => {})
  cleanups.push(() => socket.destroy())
}

test.each([
  ['http', 'takes nothing', true],
  ['https', 'takes nothing', true],
  ['http', 'has lost its rights and takes nothing', false],
  ['https', 'has lost its rights and takes nothing', false],
])(
  '%s: the connection of a reader that %s ends',
  async (scheme, _what, keepsRights) => {
    const tls = scheme === 'https' ? await certificatePair('127.0.0.1') : undefined
    // The rights are looked at when the buffers are full.
    const rules = keepsRights ? { maxStandstillMs: 500, heartbeatMs: 50 } : { maxStandstillMs: 500, recheckMs: 1000 }
    const streams = createEventStreams(rules)
    const ended = Promise.withResolvers<void>()
    const source = {
      // More than the buffers of both ends of a connection hold, and less than what may wait.
      subscribe(send: (event: { event: string; data: string }) => void) {
        for (let n = 0; n < 150; n++) send({ event: 'set', data: 'x'.repeat(100_000) })
        return () => {}
      },
    }
    const server = await serveHttp({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 60,
      ...(tls && { tls }),
      handler: async (request) => {
        request.signal.addEventListener('abort', () => ended.resolve())
        const stays = async () => keepsRights
        return streams.open({ caller: { actor: 'key:one' }, client: '127.0.0.1', stays }, () => source)
      },
    })
    cleanups.push(() => server.stop(0))
    silentReader(scheme, server.port)
    await until(() => streams.count === 1, { what: 'the stream' })
    await until(() => streams.count === 0, { what: 'its place' })
    await within(ended.promise, 15_000, 'the end of the connection')
    expect(streams.count).toBe(0)
  },
  60_000,
)
