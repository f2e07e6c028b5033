import { describe, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import type { QrsSettings } from '../../../src/qlik/qrs/transport.ts'
import { testCertificates } from '../../support/conformance/certificates.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { type Script, type ScriptedAnswer, withQrs } from '../../support/scripted-qrs.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'

async function failure(script: Script, settings: Partial<QrsSettings> = {}): Promise<QrsError> {
  let error: unknown
  await withQrs(script, async (client) => client.taskById(TASK).catch((caught) => (error = caught)), settings)
  expect(error).toBeInstanceOf(QrsError)
  return error as QrsError
}

describe('errors', () => {
  test('nothing listens', async () => {
    const error = await failure(() => [], { port: await freeTcpPort() })
    expect(error.kind).toBe('unreachable')
    expect(error.message).toMatch(
      /^endpoint: task\/full\?filter=id eq a8b4c123-def4-5678-9abc-def012345678, host: 127\.0\.0\.1, port: \d+, method: GET, expectedStatus: 200, error: 127\.0\.0\.1:\d+ refused the connection$/,
    )
  })

  test('a silent server', async () => {
    const error = await failure(() => () => {}, { timeoutMs: 100 })
    expect(error.kind).toBe('timeout')
  })

  test('a body that comes too slowly', async () => {
    const error = await failure(() => (response) => void response.writeHead(200).write('['), { timeoutMs: 100 })
    expect(error.kind).toBe('timeout')
  })

  test('status 500 is told with at most 200 characters of the body', async () => {
    const error = await failure(() => ({ status: 500, text: `boom ${'x'.repeat(500)}` }))
    expect([error.kind, error.status, error.body.length]).toEqual(['status', 500, 200])
    expect(error.message).toContain(', method: GET, expectedStatus: 200, status: 500, body: boom xxx')
    expect(error.message).not.toContain('xrfkey')
  })

  test('a web page and truncated JSON are notJson', async () => {
    const page = await failure(() => ({ text: '<html>Login</html>', headers: { 'content-type': 'text/html' } }))
    expect([page.kind, page.status, page.body]).toEqual(['notJson', 200, '<html>Login</html>'])
    expect((await failure(() => ({ text: '[{"id":"a8b4' }))).kind).toBe('notJson')
    expect((await failure(() => ({ text: '' }))).kind).toBe('notJson')
  })

  test('an object where a list was expected is a shape error', async () => {
    expect((await failure(() => ({ unexpected: true }))).kind).toBe('shape')
  })

  test('unreadable certificates', async () => {
    expect((await failure(() => [], { certificates: () => null })).message).toContain(
      'error: the client certificates cannot be read',
    )
  })

  test('an unknown authority is unreachable with the reason, and accepted when not verified', async () => {
    const { client, foreign } = await testCertificates()
    const certificates = { cert: client.cert.pem, key: client.key.pem, ca: foreign.ca.pem }
    const error = await failure(() => [], { certificates })
    expect(error.kind).toBe('unreachable')
    expect(error.message).toContain('could not agree on TLS')
    await withQrs(
      () => [],
      async (qrs) => expect(await qrs.taskById(TASK)).toBeNull(),
      { certificates, rejectUnauthorized: false },
    )
  })

  test('a port that does not speak TLS', async () => {
    const server = createServer((socket) => void socket.end('nope\r\n').on('error', () => {}))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    expect((await failure(() => [], { port })).kind).toBe('unreachable')
    server.close()
  })

  test('cancelling', async () => {
    const controller = new AbortController()
    await withQrs(
      () => {
        controller.abort()
        return () => {}
      },
      async (client) => {
        const error = await client.taskById(TASK, controller.signal).catch((caught) => caught)
        expect(error.kind).toBe('aborted')
      },
    )
  })
})

describe('retries', () => {
  test.each([502, 503, 504, 429])('a read is repeated twice after status %p', async (status) => {
    const requests = await withQrs(
      (_request, count) => (count < 3 ? status : []),
      async (client) => expect(await client.taskById(TASK)).toBeNull(),
    )
    expect(requests.length).toBe(3)
  })

  test('a read is repeated when the connection breaks', async () => {
    const requests = await withQrs(
      (_request, count) => (count < 3 ? (response) => void response.socket?.destroy() : []),
      async (client) => expect(await client.taskById(TASK)).toBeNull(),
    )
    expect(requests.length).toBeGreaterThanOrEqual(3)
  })

  test.each([400, 401, 403, 500])('status %p is final', async (status) => {
    const requests = await withQrs(
      () => status,
      async (client) => expect((await client.ping().catch((error) => error)).status).toBe(status),
    )
    expect(requests.length).toBe(1)
  })

  test('a start is never repeated', async () => {
    for (const answer of [503, (response: { socket: { destroy(): void } | null }) => void response.socket?.destroy()]) {
      const requests = await withQrs(
        () => answer as ScriptedAnswer,
        async (client) => expect(await client.startTask(TASK).catch((error) => error)).toBeInstanceOf(QrsError),
      )
      expect(requests.length).toBe(1)
    }
  })
})

test('renewed certificates are used without a restart', async () => {
  const { ca, client: own } = await testCertificates()
  const usable = { cert: own.cert.pem, key: own.key.pem, ca: ca.pem }
  let current: typeof usable | null = null
  await withQrs(
    () => [],
    async (client) => {
      expect((await client.taskById(TASK).catch((error) => error)).kind).toBe('unreachable')
      current = usable
      expect(await client.taskById(TASK)).toBeNull()
    },
    { certificates: () => current },
  )
})
