/** The five verbs of the definitions of report tasks, revisions, references and their refusals. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { APP, BODIES, type ReportApi, reportApi, UNKNOWN } from '../../support/reports.ts'

let api: ReportApi
beforeEach(async () => {
  api = await reportApi()
})
afterEach(() => api[Symbol.asyncDispose]())

const PATHS = {
  report: '/v4/report',
  filter: '/v4/reportfilter',
  condition: '/v4/reportcondition',
  recipient: '/v4/recipient',
  group: '/v4/recipientgroup',
} as const

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

async function create(path: string, body: unknown): Promise<string> {
  const answer = await api.call('POST', path, body)
  expect(answer).toMatchObject({ status: 201 })
  return answer.body.id
}

const error = (status: number, code: string, more: object) => ({
  status,
  body: { code, statusCode: status, ...more },
})

describe.each(Object.keys(PATHS) as (keyof typeof PATHS)[])('%s', (kind) => {
  const path = PATHS[kind]
  const body = BODIES[kind]

  test('is created, read, replaced, changed and deleted', async () => {
    const created = await api.call('POST', path, body)
    expect(created.status).toBe(201)
    const { id } = created.body
    expect(id).toMatch(GUID)
    expect(created.headers.location).toBe(`${path}/${id}`)
    expect(created.headers.etag).toBe('"r1"')
    expect(created.body).toMatchObject({
      ...body,
      createdAt: '2026-03-02T06:00:00.000Z',
      createdBy: 'anonymous',
      modifiedAt: '2026-03-02T06:00:00.000Z',
      modifiedBy: 'anonymous',
      revision: 1,
    })
    expect((await api.call('GET', `${path}/${id.toUpperCase()}`)).body).toEqual(created.body)

    api.clock.advance(1000)
    const replaced = await api.call('PUT', `${path}/${id}`, { ...created.body, name: 'Another' })
    expect(replaced).toMatchObject({
      status: 200,
      body: { name: 'Another', revision: 2, modifiedAt: '2026-03-02T06:00:01.000Z' },
    })
    expect(replaced.headers.etag).toBe('"r2"')

    const patched = await api.call(
      'PATCH',
      `${path}/${id}`,
      { name: 'Third' },
      { 'If-Match': '"r2"', 'Content-Type': 'application/merge-patch+json' },
    )
    expect(patched.body).toEqual({ ...replaced.body, name: 'Third', revision: 3 })
    // Nothing changes: no new revision.
    expect((await api.call('PATCH', `${path}/${id}`, { name: 'Third' })).headers.etag).toBe('"r3"')

    const stale = error(412, 'REVISION_MISMATCH', { currentRevision: 3 })
    expect(await api.call('DELETE', `${path}/${id}`, undefined, { 'If-Match': '"r2"' })).toMatchObject(stale)
    expect(await api.call('PUT', `${path}/${id}`, body, { 'If-Match': '"r1"' })).toMatchObject(stale)
    expect(await api.call('DELETE', `${path}/${id}`, undefined, { 'If-Match': '"r3"' })).toMatchObject({
      status: 204,
      body: '',
    })
    expect((await api.call('GET', `${path}/${id}`)).status).toBe(404)
  })

  test('unknown members and members of Footman are refused', async () => {
    const unknown = await api.call('POST', path, { ...body, nonsense: 1 })
    expect(unknown).toMatchObject(
      error(400, 'VALIDATION', { issues: [{ path: 'nonsense', message: 'Unknown member' }] }),
    )
    const id = await create(path, body)
    const patch = await api.call('PATCH', `${path}/${id}`, { revision: 7 })
    expect(patch).toMatchObject(error(400, 'VALIDATION', { issues: [{ path: 'revision', message: 'Read only' }] }))
  })

  test('a second one like it is refused', async () => {
    const id = await create(path, body)
    const again = await api.call('POST', path, { ...body, name: body.name.toUpperCase() })
    expect(again).toMatchObject(error(409, 'NAME_TAKEN', { id }))
  })
})

test('errors have the form of the spec', async () => {
  expect((await api.call('GET', '/v4/reporttask/nonsense')).body).toEqual({
    error: 'Invalid task ID format',
    details: 'Task ID must be a valid GUID',
    statusCode: 400,
    code: 'INVALID_ID',
    message: 'Invalid task ID format: Task ID must be a valid GUID',
  })
  const task = {
    name: 'T',
    reports: [{ key: 'a', reportId: UNKNOWN, format: 'xls' }],
    email: { subject: '' },
  }
  expect((await api.call('POST', '/v4/reporttask', task)).body).toEqual({
    error: 'Invalid request body',
    details: '2 problems: reports.0.format, email.subject',
    statusCode: 400,
    code: 'VALIDATION',
    message: 'Invalid request body: 2 problems: reports.0.format, email.subject',
    issues: [
      { path: 'reports.0.format', message: 'Expected one of csv, xlsx, html, pdf, json, svg, png, docx, pptx' },
      { path: 'email.subject', message: 'Must be 1-500 characters' },
    ],
  })
  const bad = await api.call('POST', '/v4/reporttask', '{"name":', { 'Content-Type': 'application/json' })
  expect(bad).toMatchObject(error(400, 'INVALID_JSON', { error: 'Invalid JSON' }))
  const large = await api.call('POST', '/v4/report', { ...BODIES.report, description: 'x'.repeat(1_100_000) })
  expect(large).toMatchObject(error(413, 'BODY_TOO_LARGE', {}))
  expect(await api.call('POST', '/v4/report', [])).toMatchObject(error(400, 'VALIDATION', {}))
  expect(await api.call('GET', '/v4/report?nonsense=1')).toMatchObject(error(400, 'VALIDATION', {}))
  expect(await api.call('GET', `/v4/report/${UNKNOWN}`)).toMatchObject(error(404, 'REPORT_NOT_FOUND', {}))
})

test('at most 20 issues are named', async () => {
  const reports = Array.from({ length: 30 }, () => ({ key: 'A', reportId: UNKNOWN, format: 'pdf' }))
  const { body } = await api.call('POST', '/v4/reporttask', { name: 'T', reports })
  expect(body.issues).toHaveLength(20)
  expect(body.details).toStartWith('30 problems: reports.0.key, ')
})

test('lists are sorted, paged and filtered', async () => {
  for (const [name, project, tags] of [
    ['b weekly', 'Sales', ['weekly']],
    ['A daily', 'Sales', []],
    ['c', 'Finance', ['weekly']],
  ] as const) {
    await create('/v4/report', { ...BODIES.report, name, project, tags })
  }
  const names = async (query: string) => {
    const { body } = await api.call('GET', `/v4/report${query}`)
    return [body.reports.map(({ name }: { name: string }) => name), body.total]
  }
  expect(await names('')).toEqual([['A daily', 'b weekly', 'c'], 3])
  expect(await names('?limit=1&offset=1')).toEqual([['b weekly'], 3])
  expect(await names('?project=Sales&tag=weekly')).toEqual([['b weekly'], 1])
  expect(await names('?name=DAILY')).toEqual([['A daily'], 1])
  expect((await api.call('GET', '/v4/report?limit=501')).status).toBe(400)
  expect((await api.call('GET', '/v4/reportproject')).body).toEqual({
    reportProjects: [
      { name: 'Finance', reportTasks: 0, reports: 1, reportFilters: 0, reportConditions: 0 },
      { name: 'Sales', reportTasks: 0, reports: 2, reportFilters: 0, reportConditions: 0 },
    ],
    total: 2,
  })
})

test('what is used cannot be deleted or moved away', async () => {
  const reportId = await create('/v4/report', BODIES.report)
  const task = { project: 'Sales', name: 'Weekly sales pack', reports: [{ key: 'pack', reportId, format: 'pdf' }] }
  const id = await create('/v4/reporttask', task)
  expect((await api.call('DELETE', `/v4/report/${reportId}`)).body).toEqual({
    error: 'Report is in use',
    details: 'Used by 1 report task: Weekly sales pack',
    statusCode: 409,
    code: 'IN_USE',
    message: 'Report is in use: Used by 1 report task: Weekly sales pack',
    usedBy: [{ type: 'reportTask', id, name: 'Weekly sales pack' }],
  })
  const move = (project: string) => api.call('PATCH', `/v4/report/${reportId}`, { project })
  expect(await move('HR')).toMatchObject(error(400, 'WRONG_PROJECT', {}))
  expect((await move('shared')).status).toBe(200)
  expect((await api.call('DELETE', `/v4/reporttask/${id}`)).status).toBe(204)
  expect((await api.call('DELETE', `/v4/report/${reportId}`)).status).toBe(204)
})

test('references must exist, in the project or in shared', async () => {
  const filterId = await create('/v4/reportfilter', { ...BODIES.filter, project: 'HR' })
  expect(
    (await api.call('POST', '/v4/reporttask', { project: 'Sales', name: 'T', filterIds: [filterId] })).body,
  ).toMatchObject({
    code: 'WRONG_PROJECT',
    details:
      'filterIds.0: The report filter "Current year, Nordics" belongs to project "HR"; only those of "Sales" and "shared" can be used',
  })
  expect((await api.call('POST', '/v4/reporttask', { name: 'T', conditionIds: [UNKNOWN] })).body).toMatchObject({
    code: 'UNKNOWN_REFERENCE',
    issues: [{ path: 'conditionIds.0', message: `There is no report condition ${UNKNOWN}` }],
  })
  // People have no project.
  await create('/v4/recipient', { ...BODIES.recipient, filterIds: [filterId] })
})

test.each<[string, object, string, string]>([
  [
    'an empty expression',
    { blocks: [{ key: 'a', type: 'kpi', items: [{ label: 'x', expr: ' = ' }] }] },
    'INVALID_EXPRESSION',
    'blocks.0.items.0.expr',
  ],
  ['a zone', { timezone: 'Europe/Nowhere' }, 'INVALID_TIMEZONE', 'timezone'],
  ['a language', { locale: 'x_y' }, 'VALIDATION', 'locale'],
  ['a pattern', { page: { title: '{recipient}' } }, 'INVALID_PATTERN', 'page.title'],
  ['keys', { blocks: ['a', 'a'].map((key) => ({ key, type: 'pageBreak' })) }, 'VALIDATION', 'blocks.1.key'],
  [
    'a pie with two measures',
    { blocks: [{ key: 'a', type: 'chart', chart: 'pie', dimension: 'D', measures: ['=1', '=2'] }] },
    'VALIDATION',
    'blocks.0.measures',
  ],
  [
    'a gauge with dimension',
    { blocks: [{ key: 'a', type: 'chart', chart: 'gauge', dimension: 'D', measures: ['=1'] }] },
    'VALIDATION',
    'blocks.0.dimension',
  ],
  [
    'a heatmap without dimension2',
    { blocks: [{ key: 'a', type: 'chart', chart: 'heatmap', dimension: 'D', measures: ['=1'] }] },
    'VALIDATION',
    'blocks.0.dimension2',
  ],
  ['an unknown kind of block', { blocks: [{ key: 'a', type: 'picture' }] }, 'VALIDATION', 'blocks.0.type'],
  [
    'an unknown member deep inside',
    { blocks: [{ key: 'a', type: 'table', columns: [{ label: 'x', expr: 'X', kind: 'dimension', size: 1 }] }] },
    'VALIDATION',
    'blocks.0.columns.0.size',
  ],
  [
    'another type',
    { type: 'template', data: [{ key: 'a', type: 'value', expr: '=1' }], blocks: undefined },
    'VALIDATION',
    'type',
  ],
])('a report with %s is refused', async (_, change, code, path) => {
  const id = await create('/v4/report', BODIES.report)
  const answer = await api.call('PUT', `/v4/report/${id}`, { ...BODIES.report, ...change })
  expect(answer).toMatchObject(error(400, code, {}))
  expect(answer.body.issues[0].path).toBe(path)
})

test.each<[string, keyof typeof PATHS, object, string]>([
  ['lastNDays without n', 'filter', { clauses: [{ type: 'date', field: 'D', preset: 'lastNDays' }] }, 'clauses.0.n'],
  [
    'two bookmarks',
    'filter',
    { clauses: ['a', 'b'].map((bookmarkId) => ({ type: 'bookmark', bookmarkId })) },
    'clauses.1',
  ],
  [
    'between without an end',
    'condition',
    { rules: [{ type: 'value', left: { expr: '=1' }, op: 'between', right: { const: 1 } }] },
    'rules.0.right2',
  ],
  [
    'a broken regular expression',
    'condition',
    { rules: [{ type: 'value', left: { expr: '=1' }, op: 'matches', right: { const: '(' } }] },
    'rules.0.right.const',
  ],
  [
    'an unknown space',
    'condition',
    { rules: [{ type: 'file', spaceId: 'nowhere', path: 'a.txt', is: 'exists' }] },
    'rules.0.spaceId',
  ],
  [
    'a path that leads out',
    'condition',
    { rules: [{ type: 'file', spaceId: 'finance-share', path: '../a', is: 'exists' }] },
    'rules.0.path',
  ],
  ['an address', 'recipient', { email: 'anna@' }, 'email'],
  ['an unknown member', 'group', { memberIds: [UNKNOWN] }, 'memberIds.0'],
])('%s of a %s is refused', async (_, kind, change, path) => {
  const answer = await api.call('POST', PATHS[kind], { ...BODIES[kind], ...change })
  expect(answer.status).toBe(400)
  expect(answer.body.issues[0].path).toBe(path)
})

test('every change is kept with the definition before and after', async () => {
  const id = await create('/v4/reportfilter', BODIES.filter)
  await api.call('PATCH', `/v4/reportfilter/${id}`, { name: 'Nordics' })
  await api.call('DELETE', `/v4/reportfilter/${id}`)
  const rows = api.db.all<{ what: string; who: string; before: string | null; after: string | null }>(
    'SELECT what, who, before, after FROM report_audit ORDER BY id',
  )
  const nameOf = (text: string | null) => text && JSON.parse(text).name
  expect(rows.map(({ what, before, after }) => [what, nameOf(before), nameOf(after)])).toEqual([
    ['reportFilter.create', null, 'Current year, Nordics'],
    ['reportFilter.change', 'Current year, Nordics', 'Nordics'],
    ['reportFilter.delete', 'Nordics', null],
  ])
  expect(await api.store.pruneAudit('2027-01-01T00:00:00.000Z')).toBe(3)
})

test('a report of another app is the same report', async () => {
  const id = await create('/v4/report', { ...BODIES.report, appId: APP.toUpperCase() })
  expect((await api.call('GET', `/v4/report/${id}`)).body.appId).toBe(APP)
})

test('a change is answered when the parts that follow it have recorded it', async () => {
  let isRecorded = false
  api.store.onChange(async () => {
    await Bun.sleep(50)
    isRecorded = true
  })
  await create('/v4/reportfilter', BODIES.filter)
  expect(isRecorded).toBe(true)
})
