/** Texts from addresses that a person has entered, with peers that are down, slow, refusing, elsewhere. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createConnectionGuard } from '../../../src/settings/guard.ts'
import { readAddress } from '../../../src/settings/read-address.ts'
import { freeTcpPort } from '../../support/ports.ts'

const guard = createConnectionGuard(() => ['127.0.0.1'])
let server: ReturnType<typeof Bun.serve>
let asked: string[] = []
const at = (path: string) => `http://127.0.0.1:${server.port}${path}`

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch({ url }) {
      const { pathname } = new URL(url)
      asked.push(pathname)
      if (pathname === '/moved') return Response.redirect(at('/text'))
      if (pathname === '/round') return Response.redirect(at('/round'))
      if (pathname === '/inside') return Response.redirect(`http://localhost:${server.port}/text`)
      if (pathname === '/slow') await new Promise(() => {})
      if (pathname === '/binary') return new Response(new Uint8Array([0x50, 0x4b, 3, 4, 0, 0]))
      return pathname === '/text' ? new Response('Zürich') : new Response('no', { status: 403 })
    },
  })
})
afterAll(() => server.stop(true))

test('a text is read, redirects followed', async () => {
  expect(await readAddress(at('/text'), guard)).toBe('Zürich')
  expect(await readAddress(at('/moved'), guard)).toBe('Zürich')
})

test.each([
  ['/refused', 'answered HTTP 403'],
  ['/round', 'answered HTTP 302'],
  ['/slow', 'did not answer within'],
  ['/inside', 'is not asked'],
])('%s: the reason in words', async (path, reason) => {
  await expect(readAddress(at(path), guard, 300)).rejects.toThrow(reason)
})

test.each(['ftp://acme.example/x', 'file:///etc/passwd', 'nonsense', ''])('%s is no address', async (address) => {
  await expect(readAddress(address, guard)).rejects.toThrow('is no address that starts with http')
})

test('a peer that is down is named', async () => {
  await expect(readAddress(`http://127.0.0.1:${await freeTcpPort()}/`, guard)).rejects.toThrow('refused the connection')
})

test('an address of this machine is not asked unless the file allows it', async () => {
  asked = []
  const closed = createConnectionGuard(() => [])
  for (const address of [at('/text'), `http://localhost:${server.port}/text`, `http://[::1]:${server.port}/`])
    await expect(readAddress(address, closed)).rejects.toThrow('is not asked')
  expect(asked).toEqual([])
})
