import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { DASHBOARD, filterOf, LOAD_SCRIPT, SALES, type Site, startApi, startSite, task, UNKNOWN } from './support.ts'

let site: Site
let api: Awaited<ReturnType<typeof startApi>>
beforeAll(async () => {
  site = await startSite({ timeoutMs: 3000 })
})
afterAll(() => site.stop())
beforeEach(async () => {
  site.simulator.reset()
  site.simulator.clearRequests()
  api = await startApi(site)
})
afterEach(() => api.stop())

const ref = (taskId: string, taskName: string) => ({ taskId, taskName })
const FINANCIAL = ref(DASHBOARD, 'Financial Dashboard Reload')
const REPORT = ref(SALES, 'Sales Report Update')
const HR = ref(task('03'), 'HR Insights daily')
const FINANCE_NIGHTLY = ref(task('02'), 'Finance QVD nightly')
const R_AND_D = ref(task('04'), 'R&D weekly')
const SLOW = ref(task('07'), 'Slow Warehouse Load')

const started = (...tasks: { taskId: string; taskName: string }[]) => ({
  tasksStarted: tasks.map((one) => ({ ...one, status: 'started' })),
  tasksNotFound: [] as string[],
  totalTasksStarted: tasks.length,
})

const CP = (name: string, value: string) => ({ name, value })

describe('object dialect', () => {
  test('byte-exact answer of the documented example', async () => {
    const answer = await api.send('/v4/reloadtask/-/start', { taskId: [DASHBOARD, SALES] })
    expect(answer.body).toBe(
      '{"tasksStarted":[{"taskId":"a8b4c123-def4-5678-9abc-def012345678","taskName":"Financial Dashboard Reload","status":"started"},{"taskId":"b9c5d234-efe5-6789-abcd-ef0123456789","taskName":"Sales Report Update","status":"started"}],"tasksNotFound":[],"totalTasksStarted":2}',
    )
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(site.startedIds().sort()).toEqual([DASHBOARD, SALES])
  })

  const ROWS: [name: string, path: string, body: unknown, expected: object][] = [
    ['URL id, no body', `/v4/reloadtask/${DASHBOARD}/start`, undefined, started(FINANCIAL)],
    ['URL id, {}', `/v4/reloadtask/${DASHBOARD}/start`, {}, started(FINANCIAL)],
    ['URL id, JSON null', `/v4/reloadtask/${DASHBOARD}/start`, 'null', started(FINANCIAL)],
    ['upper-case id', `/v4/reloadtask/${DASHBOARD.toUpperCase()}/start`, {}, started(FINANCIAL)],
    ['-', '/v4/reloadtask/-/start', {}, started()],
    ['- without body', '/v4/reloadtask/-/start', undefined, started()],
    ['empty segment', '/v4/reloadtask//start', { taskId: DASHBOARD }, started(FINANCIAL)],
    ['no segment', '/v4/reloadtask/start', { taskId: [DASHBOARD] }, started(FINANCIAL)],
    ['tag', '/v4/reloadtask/-/start', { tag: ['financial-reports'] }, started(FINANCIAL, REPORT)],
    ['scalar tag', '/v4/reloadtask/-/start', { tag: 'financial-reports' }, started(FINANCIAL, REPORT)],
    [
      'several tags are a union',
      '/v4/reloadtask/-/start',
      { tag: ['daily-reports', 'financial-reports'] },
      started(REPORT, HR, FINANCIAL),
    ],
    [
      'a tag differing in case only',
      '/v4/reloadtask/-/start',
      { tag: ['urgent'] },
      started(ref(task('06'), 'Manually triggered reload of Test failing reloads 2'), SLOW),
    ],
    ['unknown tag', '/v4/reloadtask/-/start', { tag: ['nobody'] }, started()],
    ['R&D', '/v4/reloadtask/-/start', { tag: ['R&D'] }, started(R_AND_D)],
    ["Q1'25", '/v4/reloadtask/-/start', { tag: ["Q1'25"] }, started(R_AND_D)],
    ['# % + /', '/v4/reloadtask/-/start', { tag: ['Sprint #4', '100%', 'a+b', 'Finance/HR', 'åäö'] }, started(R_AND_D)],
    [
      'property pair, checked as a pair',
      '/v4/reloadtask/-/start',
      { customProperty: [CP('department', 'finance')] },
      started(ref(task('01'), 'Sales ETL hourly'), FINANCE_NIGHTLY),
    ],
    [
      'several properties are a union',
      '/v4/reloadtask/-/start',
      { customProperty: [CP('taskGroup', 'operational-dashboards'), CP('priority', 'high')] },
      started(SLOW, ref(task('12'), 'Task with 3 values of one property')),
    ],
    [
      'everything at once, each task once',
      `/v4/reloadtask/${SALES}/start`,
      {
        taskId: [DASHBOARD, SALES],
        tag: ['financial-reports'],
        customProperty: [CP('taskGroup', 'financial-reports')],
      },
      started(REPORT, FINANCIAL, ref(task('12'), 'Task with 3 values of one property')),
    ],
    [
      'match all: tags',
      '/v4/reloadtask/-/start',
      { tag: ['financial-reports', 'daily-reports'], match: 'all' },
      started(REPORT),
    ],
    [
      'match all: tag and property',
      '/v4/reloadtask/-/start',
      { tag: ['urgent'], customProperty: [CP('priority', 'high')], match: 'all' },
      started(SLOW),
    ],
    [
      'match all: among the ids',
      '/v4/reloadtask/-/start',
      { taskId: [DASHBOARD, SALES], tag: 'daily-reports', match: 'all' },
      started(REPORT),
    ],
    ['match all: nothing given', '/v4/reloadtask/-/start', { match: 'all' }, started()],
    [
      'unknown id',
      '/v4/reloadtask/-/start',
      { taskId: [UNKNOWN, DASHBOARD] },
      { ...started(FINANCIAL), tasksNotFound: [UNKNOWN] },
    ],
    [
      'unknown members are ignored',
      '/v4/reloadtask/-/start',
      { taskId: [DASHBOARD], colour: 'red' },
      started(FINANCIAL),
    ],
    [
      'disabled task',
      '/v4/reloadtask/-/start',
      { taskId: [task('09')] },
      {
        ...started(),
        tasksFailed: [
          { taskId: task('09'), taskName: 'Disabled reload', status: 'failed', error: 'The task is disabled' },
        ],
      },
    ],
    [
      'other task types',
      '/v4/reloadtask/-/start',
      { taskId: ['71000000-0000-4000-8000-000000000001'] },
      started(ref('71000000-0000-4000-8000-000000000001', 'Nightly FTP fetch')),
    ],
    [
      'ids that must exist',
      '/v4/reloadtask/-/start?allTaskIdsMustExist=true',
      { taskId: [UNKNOWN, DASHBOARD], tag: ['daily-refresh'] },
      { ...started(FINANCE_NIGHTLY, HR), tasksNotFound: [UNKNOWN] },
    ],
    [
      'ids that all exist',
      '/v4/reloadtask/-/start?allTaskIdsMustExist=true',
      { taskId: [DASHBOARD] },
      started(FINANCIAL),
    ],
  ]

  test.each(ROWS)('%s', async (_, path, body, expected) => {
    const answer = await api.send(path, body)
    expect(JSON.parse(answer.body)).toEqual(expected)
    expect(answer.status).toBe(200)
    const ids = (expected as { tasksStarted: { taskId: string }[] }).tasksStarted.map((one) => one.taskId)
    expect(site.startedIds().sort()).toEqual(ids.sort())
  })

  const IGNORED: [name: string, path: string, body: object, warnings: string[] | undefined, starts: number][] = [
    ['misspelt', '-', { tags: ['urgent'] }, ['unknown member "tags" is ignored; did you mean tag?'], 0],
    [
      'misspelt beside a good one',
      '-',
      { taskId: [DASHBOARD], customProperties: [], Tag: ['x'] },
      [
        'unknown member "customProperties" is ignored; did you mean customProperty?',
        'unknown member "Tag" is ignored; did you mean tag?',
      ],
      1,
    ],
    [
      'all there is',
      '-',
      { environment: 'x' },
      [
        'unknown member "environment" is ignored; known are taskId, tag, customProperty, taskName, match, keyValueStore',
      ],
      0,
    ],
    ['something of the caller, beside a task', DASHBOARD, { environment: 'x', a: 1 }, undefined, 1],
  ]

  test.each(IGNORED)('an unknown member that is %s', async (_, id, body, warnings, starts) => {
    const answer = await api.send(`/v4/reloadtask/${id}/start`, body)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      200,
      { ...started(...(starts === 1 ? [FINANCIAL] : [])), ...(warnings && { warnings }) },
    ])
    const told = api.log.of('warn').filter((line) => line.includes('unknown member'))
    expect(told).toEqual((warnings ?? []).map((one) => expect.stringContaining(one)))
  })

  test('PUT answers like POST', async () => {
    const answer = await api.send(`/v4/reloadtask/${DASHBOARD}/start`, {}, 'PUT')
    expect(JSON.parse(answer.body)).toEqual(started(FINANCIAL))
  })

  const INVALID_ID = '{"error":"Invalid task ID format","details":"Task ID must be a valid GUID"}'
  const invalidBody = (details: string) => JSON.stringify({ error: 'Invalid request body', details })
  const BAD: [name: string, path: string, body: unknown, expected: string][] = [
    ['malformed id in the URL', '/v4/reloadtask/abc/start', {}, INVALID_ID],
    ['malformed id in the URL, no body', '/v4/reloadtask/abc/start', undefined, INVALID_ID],
    ['malformed id in the body', '/v4/reloadtask/-/start', { taskId: [DASHBOARD, 'abc'], tag: ['urgent'] }, INVALID_ID],
    ['tag of the wrong type', '/v4/reloadtask/-/start', { tag: {} }, invalidBody('tag must be an array of strings')],
    [
      'property without value',
      '/v4/reloadtask/-/start',
      { customProperty: [{ name: 'x' }] },
      invalidBody('customProperty must be an array of objects with name and value'),
    ],
    ['unknown match', '/v4/reloadtask/-/start', { match: 'some' }, invalidBody('match must be "any" or "all"')],
    ['a JSON string', '/v4/reloadtask/-/start', '"x"', invalidBody('body must be an object or an array')],
    ['a number', '/v4/reloadtask/-/start', '7', invalidBody('body must be an object or an array')],
    [
      'no boolean',
      '/v4/reloadtask/-/start?allTaskIdsMustExist=yes',
      { taskId: [DASHBOARD] },
      '{"statusCode":400,"code":"FST_ERR_VALIDATION","error":"Bad Request","message":"querystring/allTaskIdsMustExist must be boolean"}',
    ],
  ]

  test.each(BAD)('%s: 400, nothing started', async (_, path, body, expected) => {
    const answer = await api.send(path, body)
    expect(answer.body).toBe(expected)
    expect(answer.status).toBe(400)
    expect(site.startedIds()).toEqual([])
  })
})

describe('array dialect', () => {
  const EMPTY = `{
  "tasksId": {
    "started": [],
    "invalid": [],
    "denied": []
  },
  "tasksTag": [],
  "tasksTagDenied": [],
  "tasksCP": [],
  "tasksCPDenied": []
}`
  const id = (taskId: string) => ({ type: 'starttaskid', payload: { taskId } })
  const tag = (name: string) => ({ type: 'starttasktag', payload: { tag: name } })
  const property = (name: string, value: string) => ({
    type: 'starttaskcustomproperty',
    payload: { customPropertyName: name, customPropertyValue: value },
  })
  const kv = { type: 'keyvaluestore', payload: { namespace: 'n', key: 'k', value: 'v', ttl: 10000 } }

  test.each([['[]'], ['[{}]']])('%s: everything empty, indented by two', async (body) => {
    const answer = await api.send('/v4/reloadtask/-/start', body, 'PUT')
    expect(answer.body).toBe(EMPTY)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
  })

  test('all item types; a task matched three times starts once and is listed each time', async () => {
    const body = [
      id(LOAD_SCRIPT),
      id('abc123'),
      id(UNKNOWN),
      tag('startTask1'),
      property('taskGroup', 'regulatory-compliance'),
      kv,
    ]
    const answer = await api.send(`/v4/reloadtask/${LOAD_SCRIPT.toUpperCase()}/start`, body, 'PUT')
    const script = ref(LOAD_SCRIPT, 'Load script started task')
    expect(JSON.parse(answer.body)).toEqual({
      tasksId: { started: [script, script], invalid: [{ taskId: 'abc123' }, { taskId: UNKNOWN }], denied: [] },
      tasksTag: [script, ref(task('01'), 'Sales ETL hourly'), ref(task('10'), 'Never ran')],
      tasksTagDenied: [],
      tasksCP: [FINANCE_NIGHTLY, ref(task('12'), 'Task with 3 values of one property')],
      tasksCPDenied: [],
    })
    expect(site.startedIds().sort()).toEqual([LOAD_SCRIPT, task('01'), task('02'), task('10'), task('12')].sort())
    expect(api.log.of('warn')).toContain('STARTTASK: Trying to store key-value data, but KV store is not enabled.')
    expect(api.log.of('warn')).toContain('TASK ID VERIFY: Task ID not valid: abc123')
  })

  test('the exact text of a filled answer', async () => {
    const answer = await api.send('/v4/reloadtask/-/start', [id(DASHBOARD), id('abc123')])
    expect(answer.body).toBe(`{
  "tasksId": {
    "started": [
      {
        "taskId": "a8b4c123-def4-5678-9abc-def012345678",
        "taskName": "Financial Dashboard Reload"
      }
    ],
    "invalid": [
      {
        "taskId": "abc123"
      }
    ],
    "denied": []
  },
  "tasksTag": [],
  "tasksTagDenied": [],
  "tasksCP": [],
  "tasksCPDenied": []
}`)
  })

  test('a lone item counts as an array of one', async () => {
    const answer = await api.send('/v4/reloadtask/start', id(DASHBOARD))
    expect(JSON.parse(answer.body).tasksId.started).toEqual([FINANCIAL])
  })

  test('allTaskIdsMustExist with a malformed id: ids are held back, tags start', async () => {
    const answer = await api.send('/v4/reloadtask/-/start?allTaskIdsMustExist=true', [
      id(DASHBOARD),
      id('abc'),
      tag('daily-refresh'),
    ])
    expect(JSON.parse(answer.body)).toEqual({
      tasksId: { started: [], invalid: [{ taskId: 'abc' }], denied: [FINANCIAL] },
      tasksTag: [FINANCE_NIGHTLY, HR],
      tasksTagDenied: [],
      tasksCP: [],
      tasksCPDenied: [],
    })
    expect(site.startedIds().sort()).toEqual([task('02'), task('03')])
  })

  test('a refused start is left out and named at the end', async () => {
    const answer = await api.send('/v4/reloadtask/-/start', [id(task('09'))])
    const parsed = JSON.parse(answer.body)
    expect(parsed.tasksId.started).toEqual([])
    expect(Object.keys(parsed).at(-1)).toBe('tasksFailed')
    expect(parsed.tasksFailed).toEqual([ref(task('09'), 'Disabled reload')])
  })

  const e2 = (message: string) =>
    JSON.stringify({ statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request', message })
  test.each([
    ['[1]', e2('body/0 must be object')],
    ['[{"type":"x","payload":{}}]', e2('body/0/type must be equal to one of the allowed values')],
    ['[{"type":"starttaskid","payload":1}]', e2('body/0/payload must be object')],
  ])('%s', async (body, expected) => {
    const answer = await api.send('/v4/reloadtask/-/start', body)
    expect(answer.body).toBe(expected)
    expect(answer.status).toBe(400)
  })

  test.each([
    ['[{"type":"starttaskid"}]'],
    ['[{"type":"starttasktag","payload":{}}]'],
    ['[{"type":"starttaskcustomproperty","payload":{"customPropertyName":"a"}}]'],
  ])('%s: 400, nothing started', async (body) => {
    const answer = await api.send(`/v4/reloadtask/${DASHBOARD}/start`, body)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({
      statusCode: 400,
      error: 'Bad Request',
      message: 'Failed starting task',
    })
    expect(site.startedIds()).toEqual([])
  })
})

describe('filter', () => {
  async function filtered(allow: Parameters<typeof filterOf>[0], path: string, body: unknown) {
    const limited = await startApi(site, { filter: filterOf(allow) })
    try {
      return { ...(await limited.send(path, body)), log: limited.log }
    } finally {
      await limited.stop()
    }
  }

  test('each selector against its own list; answers 200 with what was denied', async () => {
    const allow = { taskId: [DASHBOARD], tag: ['daily-refresh'], customProperty: [CP('priority', 'high')] }
    const body = {
      taskId: [DASHBOARD, SALES],
      tag: ['daily-refresh', 'urgent'],
      customProperty: [CP('priority', 'high'), CP('priority', 'low')],
    }
    const answer = await filtered(allow, `/v4/reloadtask/${UNKNOWN}/start`, body)
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).toEqual({
      ...started(FINANCIAL, FINANCE_NIGHTLY, HR, SLOW),
      tasksDenied: [
        { taskId: UNKNOWN },
        { taskId: SALES },
        { tag: 'urgent' },
        { customProperty: { name: 'priority', value: 'low' } },
      ],
    })
    expect(answer.log.of('warn')).toEqual([
      `STARTTASK: Task ID in URL path is not allowed: ${UNKNOWN}`,
      `STARTTASK: Task ID in msg body is not allowed: ${SALES}`,
      'STARTTASK: Task tag is not allowed: urgent',
      'STARTTASK: Task custom property is not allowed. Name: priority, value: low',
    ])
  })

  test('an id is allowed when its task carries an allowed tag or property', async () => {
    const byTag = await filtered({ tag: ['daily-reports'] }, '/v4/reloadtask/-/start', { taskId: [SALES, DASHBOARD] })
    expect(JSON.parse(byTag.body)).toEqual({ ...started(REPORT), tasksDenied: [{ taskId: DASHBOARD }] })
    const allow = { customProperty: [CP('department', 'hr')] }
    const byProperty = await filtered(allow, `/v4/reloadtask/${task('03')}/start`, {})
    expect(JSON.parse(byProperty.body)).toEqual(started(HR))
  })

  test('empty lists deny everything; case matters', async () => {
    expect(JSON.parse((await filtered({}, `/v4/reloadtask/${SALES}/start`, {})).body)).toEqual({
      ...started(),
      tasksDenied: [{ taskId: SALES }],
    })
    const wrongCase = await filtered({ tag: ['Daily-Refresh'] }, '/v4/reloadtask/-/start', { tag: ['daily-refresh'] })
    expect(JSON.parse(wrongCase.body).tasksDenied).toEqual([{ tag: 'daily-refresh' }])
  })

  test('allowed ids may be written in any case', async () => {
    const allow = { taskId: [DASHBOARD.toUpperCase()] }
    const answer = await filtered(allow, '/v4/reloadtask/-/start', { taskId: [DASHBOARD] })
    expect(JSON.parse(answer.body)).toEqual(started(FINANCIAL))
  })

  test('match all with a denied selector starts nothing', async () => {
    const body = { tag: ['financial-reports', 'daily-reports'], match: 'all' }
    const answer = await filtered({ tag: ['financial-reports'] }, '/v4/reloadtask/-/start', body)
    expect(JSON.parse(answer.body)).toEqual({ ...started(), tasksDenied: [{ tag: 'daily-reports' }] })
    expect(site.startedIds()).toEqual([])
  })

  test('array dialect', async () => {
    const body = [
      { type: 'starttaskid', payload: { taskId: SALES } },
      { type: 'starttasktag', payload: { tag: 'startTask_x' } },
      { type: 'starttaskcustomproperty', payload: { customPropertyName: 'taskGroup', customPropertyValue: 'tasks2' } },
    ]
    const path = `/v4/reloadtask/${DASHBOARD}/start?allTaskIdsMustExist=true`
    expect(JSON.parse((await filtered({ taskId: [DASHBOARD] }, path, body)).body)).toEqual({
      tasksId: { started: [FINANCIAL], invalid: [], denied: [{ taskId: SALES }] },
      tasksTag: [],
      tasksTagDenied: [{ tag: 'startTask_x' }],
      tasksCP: [],
      tasksCPDenied: [{ name: 'taskGroup', value: 'tasks2' }],
    })
  })

  test('requests of origins that are not filtered pass', async () => {
    const open = await startApi(site, { filter: { ...filterOf({}), startFilter: { appliesTo: ['mqtt'] } } })
    expect(JSON.parse((await open.send(`/v4/reloadtask/${SALES}/start`, {})).body)).toEqual(started(REPORT))
    await open.stop()
  })
})

describe('QRS in trouble', () => {
  test('an error answer during look-up: 502, nothing invalid or started', async () => {
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [500] })
    const answer = await api.send(`/v4/reloadtask/${DASHBOARD}/start`, {})
    expect(answer.body).toBe('{"error":"Failed starting task","details":"QRS request failed: QRS answered 500"}')
    expect(answer.status).toBe(502)
    const legacy = await api.send(`/v4/reloadtask/${DASHBOARD}/start`, [
      { type: 'starttaskid', payload: { taskId: 'abc' } },
    ])
    expect(legacy.status).toBe(502)
    expect(JSON.parse(legacy.body)).toEqual({
      statusCode: 502,
      error: 'Bad Gateway',
      message: 'Failed starting task',
      details: 'QRS request failed: QRS answered 500',
      tasksId: { started: [], invalid: [], denied: [] },
      tasksTagDenied: [],
      tasksCPDenied: [],
    })
  })

  test('silent: 504', async () => {
    site.simulator.fault({ listener: 'qrs', mode: 'hang' })
    const answer = await api.send('/v4/reloadtask/-/start', { tag: ['urgent'] })
    expect(answer.status).toBe(504)
    expect(JSON.parse(answer.body).error).toBe('Failed starting task')
  })

  test('what is known is told: ids were looked up, tags were not', async () => {
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503], match: 'tags\\.name' })
    const answer = await api.send('/v4/reloadtask/-/start', { taskId: [UNKNOWN], tag: ['urgent'] })
    expect(JSON.parse(answer.body)).toEqual({
      error: 'Failed starting task',
      details: 'QRS request failed: QRS answered 503',
      tasksNotFound: [UNKNOWN],
    })
  })

  test('a refused start is in tasksFailed, status 200', async () => {
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [409], match: `${SALES}/start` })
    const answer = await api.send('/v4/reloadtask/-/start', { taskId: [DASHBOARD, SALES] })
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).toEqual({
      ...started(FINANCIAL),
      tasksFailed: [{ ...REPORT, status: 'failed', error: 'QRS answered 409' }],
    })
    expect(api.log.of('error')[0]).toContain('QRS answered 409')
  })

  test('QRS silent between look-up and start: 502 when nothing was started, and no further attempts', async () => {
    site.simulator.fault({ listener: 'qrs', mode: 'hang', match: '/start' })
    const answer = await api.send('/v4/reloadtask/-/start', { tag: ['hourly-reload', 'startTask1'] })
    expect(answer.status).toBe(502)
    const { tasksStarted, tasksFailed } = JSON.parse(answer.body)
    expect(tasksStarted).toEqual([])
    expect(tasksFailed).toHaveLength(8)
    expect(site.startedIds()).toHaveLength(4)
  })

  test('many ids are looked up with few requests', async () => {
    const ids = site.simulator.addTasks(100)
    const answer = await api.send('/v4/reloadtask/-/start', { taskId: ids })
    expect(JSON.parse(answer.body).totalTasksStarted).toBe(100)
    const lookups = site.simulator.requests({ listener: 'qrs' }).filter((one) => one.path.includes('filter='))
    expect(lookups.length).toBeLessThanOrEqual(8)
    expect(new Set(site.startedIds()).size).toBe(100)
  })
})

test('shadow mode: 409, nothing asked, nothing started', async () => {
  const shadow = await startApi(site, { shadow: true })
  const answer = await shadow.send(`/v4/reloadtask/${DASHBOARD}/start`, {})
  expect(answer.status).toBe(409)
  expect(JSON.parse(answer.body)).toMatchObject({ error: 'Shadow mode', statusCode: 409, code: 'SHADOW_MODE' })
  expect(site.simulator.requests({ listener: 'qrs' })).toEqual([])
  await shadow.stop()
})

test('one audit line per request', async () => {
  await api.send(`/v4/reloadtask/${DASHBOARD}/start`, { tag: ['daily-reports'], taskId: [UNKNOWN] })
  const lines = api.log.of('info').filter((line) => line.includes('request from'))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(
    /^STARTTASK: rest request from 127\.0\.0\.1 \(object\): 2 id\(s\), 1 tag\(s\), 0 custom property value\(s\); 3 started, 0 failed, 0 denied, 1 not found; \d+ ms$/,
  )
})
