import { describe, expect, test } from 'bun:test'
import { paths, type Script, type ScriptedAnswer, withQrs } from '../../support/scripted-qrs.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const EXECUTION = 'e5000000-0000-4000-8000-000000000001'
const RESULT = '0c000000-0000-4000-8000-000000000001'
const FILE = '0f000000-0000-4000-8000-000000000001'
const ZERO = '00000000-0000-0000-0000-000000000000'

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
