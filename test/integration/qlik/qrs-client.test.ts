import { describe, expect, test } from 'bun:test'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { paths, scriptedQrs, withQrs } from '../../support/scripted-qrs.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const APP = 'a1000000-0000-4000-8000-000000000002'
const USER = '80000000-0000-4000-8000-000000000001'
const EXECUTION = 'e5000000-0000-4000-8000-000000000001'
const RESULT = '0c000000-0000-4000-8000-000000000001'
const FILE = '0f000000-0000-4000-8000-000000000001'

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

  test('every call is made as the configured user', async () => {
    const value = 'UserDirectory=ACME;UserId=footman'
    const requests = await withQrs(
      () => [],
      async (client) => {
        await client.tasks("name eq 'x'")
        await client.taskById(TASK)
        await client.startTask(TASK).catch(() => undefined)
      },
      { headers: [{ name: 'X-Qlik-User', value }] },
    )
    expect(requests.length).toBeGreaterThanOrEqual(3)
    expect(new Set(requests.map(({ headers }) => headers['x-qlik-user']))).toEqual(new Set([value]))
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

describe('which tasks exist', () => {
  const id = (n: number) => `70000000-0000-4000-8000-${String(n).padStart(12, '0')}`
  const ids = (count: number) => Array.from({ length: count }, (_, n) => id(n))
  const named = (filter: string) => [...filter.matchAll(/id eq ([0-9a-f-]{36})/g)].map(([, found]) => found!)

  test('50 ids are one question; what is no GUID and what was named twice is not asked', async () => {
    const requests = await withQrs(
      ({ query }) => named(query.filter!).flatMap((one) => (one === id(60) ? [{ id: one }] : [])),
      async (client) => {
        expect(await client.existingTasks([...ids(120), ...ids(120), "x' or id ne x"])).toEqual(new Set([id(60)]))
      },
    )
    expect(paths(requests)).toEqual(['GET task', 'GET task', 'GET task'])
    expect(requests.map(({ query }) => named(query.filter!).length)).toEqual([50, 50, 20])
    expect(requests[2]!.query.filter).toStartWith(`(id eq ${id(100)}) or (id eq ${id(101)}) or (`)
  })

  test('a server that refuses the filter of many is asked for each', async () => {
    const requests = await withQrs(
      ({ query }) => (named(query.filter!).length > 1 ? 400 : query.filter === `id eq ${id(2)}` ? [{ id: id(2) }] : []),
      async (client) => expect(await client.existingTasks(ids(3))).toEqual(new Set([id(2)])),
    )
    expect(requests.map(({ query }) => named(query.filter!).length)).toEqual([3, 1, 1, 1])
  })

  /** A site whose tasks are `site`; `before` is called ahead of each page. */
  const table = (site: string[], before: (page: number) => void = () => {}) => {
    let page = 0
    return ({ path, query }: { path: string; query: Readonly<Record<string, string>> }) => {
      if (path === 'task/count') return { value: site.length }
      page += 1
      before(page)
      const skip = Number(query.skip)
      return { rows: site.slice(skip, skip + Number(query.take)).map((one) => [one]) }
    }
  }

  test.each([0, 1, 499, 500, 501, 999, 1203])('the ids of all %p tasks are read in pages', async (count) => {
    await withQrs(table(ids(count)), async (client) => expect(await client.allTaskIds()).toEqual(new Set(ids(count))))
  })

  test('a task that is deleted between two pages hides no other one', async () => {
    const site = ids(1203)
    const script = table(site, (page) => void (page === 2 && site.splice(3, 1)))
    await withQrs(script, async (client) => expect(await client.allTaskIds()).toEqual(new Set(site)))
    expect(site).toHaveLength(1202)
  })

  test('a list that is shorter than the count is no answer', async () => {
    const script = table(ids(30))
    const lying = (request: Parameters<typeof script>[0]) =>
      request.path === 'task/count' ? { value: 31 } : script(request)
    await withQrs(lying, async (client) => expect(client.allTaskIds()).rejects.toMatchObject({ kind: 'shape' }))
  })
})
