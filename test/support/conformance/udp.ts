import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { ListenError } from '../../../src/platform/listen-error.ts'
import { bindUdp, type UdpSettings } from '../../../src/platform/udp.ts'
import { type Case, signal } from './suite.ts'

const RECEIVE_BUFFER = 4 * 1024 * 1024

const bind = (settings: Partial<UdpSettings>) =>
  bindUdp({
    host: '127.0.0.1',
    port: 0,
    receiveBufferBytes: RECEIVE_BUFFER,
    onDatagram() {},
    onError(error) {
      throw error
    },
    ...settings,
  })

async function send(port: number, texts: readonly (string | Uint8Array)[], address = '127.0.0.1'): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  for (const text of texts) {
    await new Promise<void>((resolve, reject) => {
      socket.send(text, port, address, (error) => (error ? reject(error) : resolve()))
    })
  }
  await new Promise<void>((resolve) => socket.close(() => resolve()))
}

export const udpCases: readonly Case[] = [
  {
    name: 'receives bytes with address and port, empty and large ones included',
    async run() {
      const all = signal()
      const got: { bytes: Uint8Array; address: string; port: number }[] = []
      const socket = await bind({
        onDatagram(bytes, address, port) {
          got.push({ bytes, address, port })
          if (got.length === 3) all.resolve()
        },
      })
      await send(socket.port, ['hello;åäö', '', new Uint8Array(60_000).fill(7)])
      await all.promise
      assert.equal(new TextDecoder().decode(got[0]!.bytes), 'hello;åäö')
      assert.equal(got[1]!.bytes.length, 0)
      assert.deepEqual([got[2]!.bytes.length, got[2]!.bytes[59_999]], [60_000, 7])
      assert.equal(got[0]!.address, '127.0.0.1')
      assert.ok(got[0]!.port > 0)
      await socket.close()
    },
  },
  {
    name: 'a kept datagram keeps its own bytes only',
    async run() {
      const one = signal<Uint8Array>()
      const socket = await bind({ onDatagram: one.resolve })
      await send(socket.port, ['small'])
      assert.equal((await one.promise).buffer.byteLength, 5)
      await socket.close()
    },
  },
  {
    name: 'returns address, port and the granted buffer',
    async run() {
      const socket = await bind({})
      assert.equal(socket.address, '127.0.0.1')
      assert.ok(socket.port > 0)
      assert.ok(socket.receiveBuffer > 0 && socket.receiveBuffer <= 2 * RECEIVE_BUFFER)
      await socket.close()
    },
  },
  {
    name: 'a taken port is a ListenError that names address and port',
    async run() {
      const first = await bind({})
      const error = await bind({ port: first.port }).catch((caught) => caught)
      assert.ok(error instanceof ListenError)
      assert.equal(error.code, 'EADDRINUSE')
      assert.equal(
        error.message,
        `cannot listen on UDP 127.0.0.1:${first.port}: the port is already in use by another program (EADDRINUSE)`,
      )
      await first.close()
    },
  },
  {
    name: 'a foreign address and an unknown name are ListenErrors',
    async run() {
      const foreign = await bind({ host: '8.8.8.8' }).catch((caught) => caught)
      assert.deepEqual([foreign.name, foreign.code], ['ListenError', 'EADDRNOTAVAIL'])
      const unknown = await bind({ host: 'no-such-host.invalid' }).catch((caught) => caught)
      assert.deepEqual([unknown.name, unknown.code], ['ListenError', 'ENOTFOUND'])
      assert.match(unknown.message, /no-such-host\.invalid.*set an IP address of this machine, or 0\.0\.0\.0/)
    },
  },
  {
    name: 'a socket on :: receives IPv6 and IPv4, IPv4 in dotted form',
    async run() {
      const both = signal()
      const addresses: string[] = []
      const socket = await bind({
        host: '::',
        onDatagram(_bytes, address) {
          addresses.push(address)
          if (addresses.length === 2) both.resolve()
        },
      })
      await send(socket.port, ['four'])
      await send(socket.port, ['six'], '::1')
      await both.promise
      assert.deepEqual(addresses.sort(), ['127.0.0.1', '::1'])
      await socket.close()
    },
  },
  {
    name: 'close frees the port and may be called twice',
    async run() {
      const socket = await bind({})
      await Promise.all([socket.close(), socket.close()])
      const again = await bind({ port: socket.port })
      await again.close()
    },
  },
]
