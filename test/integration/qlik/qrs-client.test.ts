import { describe, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import type { QrsSettings } from '../../../src/qlik/qrs/transport.ts'
import type { QrsClient } from '../../../src/qlik/qrs/types.ts'
import { testCertificates } from '../../support/conformance/certificates.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type ScriptedAnswer, type ScriptedRequest, scriptedQrs } from '../../support/scripted-qrs.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const APP = 'a1000000-0000-4000-8000-000000000002'
const USER = '80000000-0000-4000-8000-000000000001'
const EXECUTION = 'e5000000-0000-4000-8000-000000000001'
const RESULT = '0c000000-0000-4000-8000-000000000001'
const FILE = '0f000000-0000-4000-8000-000000000001'
const ZERO = '00000000-0000-0000-0000-000000000000'

type Script = (request: ScriptedRequest, count: number) => ScriptedAnswer | Promise<ScriptedAnswer>

/** Runs `use` against a scripted QRS and hands back the requests that it received. */
async function withQrs(
  script: Script,
  use: (client: QrsClient) => Promise<unknown>,
  settings: Partial<QrsSettings> = {},
): Promise<readonly ScriptedRequest[]> {
  await using qrs = await scriptedQrs(script, settings)
  const client = createQrsClient({ log: recordingLog() }, qrs.settings)
  try {
    await use(client)
  } finally {
    client.close()
  }
  return qrs.requests
}

async function failure(script: Script, settings: Partial<QrsSettings> = {}): Promise<QrsError> {
  let error: unknown
  await withQrs(script, async (client) => client.taskById(TASK).catch((caught) => (error = caught)), settings)
  expect(error).toBeInstanceOf(QrsError)
  return error as QrsError
}

const paths = (requests: readonly ScriptedRequest[]) => requests.map(({ method, path }) => `${method} ${path}`)

describe('what goes over the wire', () => {
  test('filter, xrfkey twice, identity and JSON', async () => {
    const [request] = await withQrs(
      () => [],
      (client) => client.tasks("tags.name eq 'R&D #1 50% +\\'x\\''"),
    )
    expect(request!.url).toStartWith(
      '/qrs/task/full?filter=tags.name%20eq%20%27R%26D%20%231%2050%25%20%2B%5C%27x%5C%27%27&xrfkey=',
    )
    expect(request!.query.filter).toBe("tags.name eq 'R&D #1 50% +\\'x\\''")
    expect(request!.query.xrfkey).toMatch(/^[0-9a-zA-Z]{16}$/)
    expect(request!.headers['x-qlik-xrfkey']).toBe(request!.query.xrfkey!)
    expect(request!.headers['x-qlik-user']).toBe('UserDirectory=Internal;UserId=sa_repository')
    expect(request!.headers.accept).toBe('application/json')
  })

  test('each request has its own xrfkey', async () => {
    const requests = await withQrs(
      () => [],
      async (client) => {
        await client.taskById(TASK)
        await client.taskById(TASK)
      },
    )
    expect(requests[0]!.query.xrfkey).not.toBe(requests[1]!.query.xrfkey)
  })

  test('ids that are no GUIDs are never sent', async () => {
    const evil = '../app/a1000000-0000-4000-8000-000000000002/copy?name=pwn#'
    const requests = await withQrs(
      () => [],
      async (client) => {
        expect(await client.taskById(evil)).toBeNull()
        expect(await client.appById(evil)).toBeNull()
        expect(await client.owner(evil)).toBeNull()
        expect(await client.executionResults(evil)).toEqual([])
        expect(await client.scriptLog(evil, { id: RESULT, fileReferenceID: FILE })).toBeNull()
        expect(await client.startTask(evil)).toEqual({ started: false, reason: 'the task id is not a GUID' })
      },
    )
    expect(requests).toEqual([])
  })

  test('a hundred parallel look-ups use at most maxSockets TLS handshakes', async () => {
    await using qrs = await scriptedQrs(() => [], { maxSockets: 6 })
    const client = createQrsClient({ log: recordingLog() }, qrs.settings)
    await Promise.all(Array.from({ length: 100 }, () => client.taskById(TASK)))
    client.close()
    expect(qrs.requests.length).toBe(100)
    expect(qrs.handshakes).toBeGreaterThan(0)
    expect(qrs.handshakes).toBeLessThanOrEqual(6)
  })
})

describe('answers', () => {
  test('a task keeps all of its fields; what is missing becomes empty', async () => {
    const sparse = { id: TASK, name: 'Reload', taskType: 0, enabled: true, extra: { kept: 1 } }
    await withQrs(
      () => [{ ...sparse, tags: null, operational: { nextExecution: 'x', lastExecutionResult: null } }],
      async (client) =>
        expect(await client.taskById(TASK)).toEqual({
          ...sparse,
          tags: [],
          customProperties: [],
          operational: { nextExecution: 'x', lastExecutionResult: null },
        } as never),
    )
  })

  test('an empty list is null', async () => {
    await withQrs(
      () => [],
      async (client) => {
        expect(await client.taskById(TASK)).toBeNull()
        expect(await client.appById(APP)).toBeNull()
      },
    )
  })

  test('an owner has all e-mail attributes, whatever the case of their type', async () => {
    const attributes = [
      { attributeType: 'Email', attributeValue: 'anna@acme.example' },
      { attributeType: 'group', attributeValue: 'BI' },
      { attributeType: 'email', attributeValue: 'a.andersson@acme.example' },
      { attributeType: 'EMAIL', attributeValue: 'anna@acme.example' },
    ]
    const user = { id: USER, userId: 'anna', userDirectory: 'LAB', name: 'Anna Andersson', attributes }
    const requests = await withQrs(
      () => user,
      async (client) =>
        expect(await client.owner(USER)).toEqual({
          id: USER,
          directory: 'LAB',
          userId: 'anna',
          userName: 'Anna Andersson',
          emails: ['anna@acme.example', 'a.andersson@acme.example'],
        }),
    )
    expect(paths(requests)).toEqual([`GET user/${USER}`])
  })

  test('an unknown owner is null', async () => {
    await withQrs(
      () => 404,
      async (client) => expect(await client.owner(USER)).toBeNull(),
    )
  })

  test('execution results come oldest first, attempts that have not begun last', async () => {
    const result = (id: string, startTime: string) => ({ id, startTime })
    const requests = await withQrs(
      () => [
        result('not begun', '1753-01-01T00:00:00.000Z'),
        result('second', '2026-03-02T06:05:00.000Z'),
        result('first', '2026-03-02T06:00:00.000Z'),
      ],
      async (client) => {
        const results = await client.executionResults(EXECUTION)
        expect(results.map(({ id }) => id)).toEqual(['first', 'second', 'not begun'])
        expect(results[0]!.details).toEqual([])
      },
    )
    expect(requests[0]!.path).toBe('executionresult/full')
    expect(requests[0]!.query.filter).toBe(`executionID eq ${EXECUTION}`)
  })

  test.each([17, { value: 17 }])('a list cut by the record limit is completed (count as %p)', async (form) => {
    const id = (index: number) => `70000000-0000-4000-8000-${String(index).padStart(12, '0')}`
    const task = (index: number) => ({ id: id(index), name: `Task ${index}`, taskType: 0, enabled: true })
    const count = typeof form === 'number' ? 120 : { value: 120 }
    const requests = await withQrs(
      ({ path, query }) => {
        if (path === 'task/count') return { text: JSON.stringify(count) }
        if (path === 'task/table') return { rows: Array.from({ length: 120 }, (_, index) => [id(index)]) }
        const asked = [...query.filter!.matchAll(/id eq ([0-9a-f-]{36})/g)].map((match) => Number(match[1]!.slice(-12)))
        return asked.length > 0 ? asked.map(task) : Array.from({ length: 100 }, (_, index) => task(index))
      },
      async (client) => {
        const names = (await client.tasks("tags.name eq 'all'")).map(({ name }) => name)
        expect(names.length).toBe(120)
        expect(new Set(names).size).toBe(120)
      },
    )
    expect(paths(requests)).toEqual(['GET task/full', 'GET task/count', 'POST task/table', 'GET task/full'])
  })
})

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

  test('a read is repeated when the connection breaks, with a fresh xrfkey not needed', async () => {
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

describe('starting a task', () => {
  test.each([200, 201])('status %p with an execution id', async (status) => {
    const requests = await withQrs(
      () => ({ status, text: JSON.stringify({ value: EXECUTION }) }),
      async (client) => expect(await client.startTask(TASK)).toEqual({ started: true, executionId: EXECUTION }),
    )
    expect(paths(requests)).toEqual([`POST task/${TASK}/start/synchronous`])
    expect(requests[0]!.body).toBe('{}')
  })

  test('zeros mean that it did not start', async () => {
    await withQrs(
      () => ({ value: ZERO }),
      async (client) =>
        expect(await client.startTask(TASK)).toEqual({
          started: false,
          reason: 'Qlik Sense did not start the task (disabled, already running, or no scheduler is available)',
        }),
    )
  })

  test.each([404, 405])('status %p: the form without proof is used', async (status) => {
    const requests = await withQrs(
      ({ path }) => (path.endsWith('/synchronous') ? status : 204),
      async (client) => expect(await client.startTask(TASK)).toEqual({ started: true, executionId: null }),
    )
    expect(paths(requests)).toEqual([`POST task/${TASK}/start/synchronous`, `POST task/${TASK}/start`])
  })

  test('an unknown task', async () => {
    await withQrs(
      () => 404,
      async (client) =>
        expect(await client.startTask(TASK)).toEqual({ started: false, reason: 'the task does not exist' }),
    )
  })

  test('a web page instead of an answer is an error, not a start', async () => {
    await withQrs(
      () => ({ text: '<html></html>' }),
      async (client) => expect((await client.startTask(TASK).catch((error) => error)).kind).toBe('shape'),
    )
  })
})

describe('script log', () => {
  const TICKET = 'fd000000-0000-4000-8000-00000000abcd'
  const reference = { id: RESULT, fileReferenceID: FILE }

  /** A server that has the given form of the reference call only. */
  const server =
    (form: 'scriptlog' | 'scriptlogfile', log: ScriptedAnswer): Script =>
    ({ path }) => {
      if (path === `download/reloadtask/${TICKET}/scriptlog.txt`) return log
      return path === `reloadtask/${TASK}/${form}` ? { value: TICKET, schemaPath: 'Value' } : 404
    }

  test('new form, without the byte-order mark', async () => {
    const requests = await withQrs(server('scriptlogfile', { text: '\uFEFFA\r\nB\r\n' }), async (client) =>
      expect(await client.scriptLog(TASK, reference)).toBe('A\r\nB\r\n'),
    )
    expect(paths(requests)).toEqual([
      `GET reloadtask/${TASK}/scriptlogfile`,
      `GET download/reloadtask/${TICKET}/scriptlog.txt`,
    ])
    expect(requests[0]!.query.executionResultId).toBe(RESULT)
  })

  test('the form that worked last is tried first', async () => {
    const requests = await withQrs(server('scriptlog', { text: 'log' }), async (client) => {
      expect(await client.scriptLog(TASK, reference)).toBe('log')
      expect(await client.scriptLog(TASK, reference)).toBe('log')
    })
    expect(paths(requests)).toEqual([
      `GET reloadtask/${TASK}/scriptlogfile`,
      `GET reloadtask/${TASK}/scriptlog`,
      `GET download/reloadtask/${TICKET}/scriptlog.txt`,
      `GET reloadtask/${TASK}/scriptlog`,
      `GET download/reloadtask/${TICKET}/scriptlog.txt`,
    ])
    expect(requests[1]!.query.fileReferenceId).toBe(FILE)
  })

  test('zeros as file reference: only the new form', async () => {
    const requests = await withQrs(
      () => 404,
      async (client) => expect(await client.scriptLog(TASK, { id: RESULT, fileReferenceID: ZERO })).toBeNull(),
    )
    expect(paths(requests)).toEqual([`GET reloadtask/${TASK}/scriptlogfile`])
  })

  test('a log that is there a moment later', async () => {
    let downloads = 0
    await withQrs(
      ({ path }) => {
        if (!path.startsWith('download/')) return { value: TICKET }
        downloads += 1
        return downloads === 1 ? 404 : { text: 'late' }
      },
      async (client) => expect(await client.scriptLog(TASK, reference)).toBe('late'),
    )
  })

  test('no log is null; an error of QRS is an error', async () => {
    await withQrs(server('scriptlogfile', 404), async (client) =>
      expect(await client.scriptLog(TASK, reference)).toBeNull(),
    )
    await withQrs(
      () => 500,
      async (client) => {
        const error = await client.scriptLog(TASK, reference).catch((caught) => caught)
        expect([error.kind, error.status]).toEqual(['status', 500])
      },
    )
  })

  test('a login page is not a script log', async () => {
    const page = { text: '<html>', headers: { 'content-type': 'text/html; charset=utf-8' } }
    await withQrs(server('scriptlogfile', page), async (client) =>
      expect((await client.scriptLog(TASK, reference).catch((error) => error)).kind).toBe('shape'),
    )
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
