/** Report tasks: the whole definition, completeness, switching on and off, chains, copies, the snapshot of a run. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { BODIES, type ReportApi, reportApi, UNKNOWN } from '../../support/reports.ts'

const PACK = '0d9c9a0e-97b1-4b7c-8c55-0b6a3f6f4a11'
const TASK = '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e'
const LAST_RUN = {
  id: '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10',
  outcome: 'error',
  reason: 'MAIL_NONE_SENT',
  counts: {
    documents: 1,
    mailsSent: 0,
    mailsFailed: 1,
    mailsHeld: 0,
    filesWritten: 0,
    hubItems: 0,
    warnings: 0,
    errors: 1,
  },
  finishedAt: '2025-11-21T06:30:15.250Z',
} as const

let api: ReportApi
beforeEach(async () => {
  api = await reportApi({ lastRun: (id) => (id === TASK ? LAST_RUN : null) })
})
afterEach(() => api[Symbol.asyncDispose]())

async function create(path: string, body: unknown): Promise<string> {
  const answer = await api.call('POST', path, body)
  expect(answer).toMatchObject({ status: 201 })
  return answer.body.id
}

const importAll = (document: object) =>
  api.call('POST', '/v4/reporttask/import', { format: 'footman-reports', version: 1, ...document })

const use = (reportId: string, more: object = {}) => ({ key: 'pack', reportId, format: 'pdf', ...more })

/** The example of the specification. */
const EXAMPLE = {
  id: TASK,
  project: 'Sales',
  name: 'Weekly sales pack',
  description: 'PDF per region, workbook for head office',
  enabled: true,
  tags: ['weekly'],
  reports: [
    {
      key: 'pack',
      reportId: PACK,
      format: 'pdf',
      fileName: '{report}{cycle}_{date:yyyy-MM-dd}',
      filterIds: [],
      conditionIds: ['c1b7f1d0-5a83-4f0a-9d52-3a1f55c0a001'],
      conditionScope: 'cycleValue',
      cycle: {
        fields: ['Region'],
        maxDocuments: 50,
        emailTo: "=Concat(DISTINCT RegionManagerMail, ';')",
        hubTo: null,
        folder: null,
        alsoRecipients: false,
      },
      deliver: { email: 'attach', storage: true, hub: true },
      zip: 'none',
      protect: null,
    },
    {
      key: 'book',
      reportId: '7f7d2c36-1a52-4c3a-9a39-8b2b7b1a0c22',
      format: 'xlsx',
      fileName: 'Sales_{date:yyyyMMdd}',
      filterIds: [],
      conditionIds: [],
      conditionScope: 'report',
      cycle: null,
      deliver: { email: 'attach', storage: true, hub: true },
      zip: 'none',
      protect: null,
    },
  ],
  filterIds: ['a2e0c1b4-0000-4000-8000-000000000001'],
  conditionIds: ['c1b7f1d0-5a83-4f0a-9d52-3a1f55c0a002'],
  recipients: [
    { type: 'group', groupId: '91d3a7d2-0000-4000-8000-00000000000a', email: true, hub: true },
    { type: 'address', address: 'cfo@company.com', email: true, hub: false },
  ],
  email: {
    enabled: true,
    from: null,
    replyTo: null,
    cc: [],
    bcc: [],
    subject: 'Weekly sales {date:yyyy-MM-dd}',
    template: 'default',
    message: 'Figures up to {{app.lastReload}}.',
    priority: 'normal',
    grouping: 'perRecipient',
  },
  storage: [{ spaceId: 'finance-share', folder: 'weekly/{date:yyyy}', onExists: 'overwrite', reports: ['book'] }],
  hub: { enabled: true, title: 'Weekly sales {date:yyyy-MM-dd}', retentionDays: 30, retentionVersions: 10 },
  triggers: [
    {
      id: '2f0f0a52-0000-4000-8000-0000000000aa',
      type: 'qlikEvent',
      name: 'After the sales reload',
      enabled: true,
      event: 'taskSucceeded',
      match: { taskId: ['210832b5-6174-4572-bd19-3e61eda675ef'], tag: [], customProperty: [], appId: [] },
      mode: 'any',
      withinMinutes: null,
      start: null,
      end: null,
      timezone: 'Europe/Stockholm',
    },
  ],
  notifications: [{ on: ['warning', 'error'], recipients: ['bi-ops@company.com'], attachLog: true }],
  testMode: { enabled: false, address: null, storage: 'subfolder' },
  run: { evaluateAs: 'service', whenBusy: 'coalesce', timeoutMinutes: 120, onReportError: 'continue', priority: 5 },
}

const DOCUMENT = {
  reportFilters: [{ id: 'a2e0c1b4-0000-4000-8000-000000000001', ...BODIES.filter }],
  reportConditions: [
    { id: 'c1b7f1d0-5a83-4f0a-9d52-3a1f55c0a001', ...BODIES.condition },
    { id: 'c1b7f1d0-5a83-4f0a-9d52-3a1f55c0a002', ...BODIES.condition, name: 'Reloaded today', project: 'shared' },
  ],
  recipients: [{ id: 'a2e0c1b4-0000-4000-8000-0000000000e1', ...BODIES.recipient }],
  reports: [
    { id: PACK, ...BODIES.report },
    { id: '7f7d2c36-1a52-4c3a-9a39-8b2b7b1a0c22', ...BODIES.report, name: 'Sales workbook' },
  ],
  recipientGroups: [
    {
      id: '91d3a7d2-0000-4000-8000-00000000000a',
      ...BODIES.group,
      memberIds: ['a2e0c1b4-0000-4000-8000-0000000000e1'],
    },
  ],
  reportTasks: [EXAMPLE],
}

test('the example of the specification is kept and shown as it is', async () => {
  expect(await importAll(DOCUMENT)).toMatchObject({
    status: 200,
    body: { dryRun: false, created: 8, updated: 0, unchanged: 0, deleted: 0, templatesMissing: [] },
  })
  const { body, headers } = await api.call('GET', `/v4/reporttask/${TASK}`)
  expect(headers.etag).toBe('"r1"')
  expect(body).toEqual({
    ...EXAMPLE,
    createdAt: '2026-03-02T06:00:00.000Z',
    createdBy: 'anonymous',
    modifiedAt: '2026-03-02T06:00:00.000Z',
    modifiedBy: 'anonymous',
    revision: 1,
  })
  expect((await api.call('GET', '/v4/reporttask?project=Sales&limit=1')).body).toEqual({
    reportTasks: [
      {
        id: TASK,
        project: 'Sales',
        name: 'Weekly sales pack',
        enabled: true,
        tags: ['weekly'],
        testMode: false,
        nextRunAt: null,
        revision: 1,
        lastRun: LAST_RUN,
      },
    ],
    total: 1,
  })
  expect((await api.call('GET', '/v4/reporttask?full=1&enabled=true&tag=weekly')).body.reportTasks).toEqual([body])
  expect((await api.call('GET', '/v4/reporttask?enabled=false')).body).toEqual({ reportTasks: [], total: 0 })

  const definition = api.store.definitionOf(TASK)!
  const ids = (all: readonly { readonly id: string }[]) => all.map(({ id }) => id)
  expect(definition.task).toMatchObject({ id: TASK, reports: [{ options: { csv: { delimiter: ',' } } }, {}] })
  expect(ids(definition.reports)).toEqual(ids(DOCUMENT.reports))
  expect(ids(definition.filters)).toEqual(ids(DOCUMENT.reportFilters))
  expect(ids(definition.conditions).sort()).toEqual(ids(DOCUMENT.reportConditions))
  expect(ids(definition.groups)).toEqual(ids(DOCUMENT.recipientGroups))
  expect(ids(definition.recipients)).toEqual(ids(DOCUMENT.recipients))
  expect(api.store.definitionOf(UNKNOWN)).toBeUndefined()
})

test('disabling several, of which one is unknown', async () => {
  await importAll(DOCUMENT)
  const answer = await api.call('POST', '/v4/reporttask/-/disable', {
    taskId: [TASK, UNKNOWN],
    tag: ['weekly'],
    project: [],
    all: false,
  })
  expect(answer.status).toBe(200)
  expect(answer.body).toEqual({
    tasksChanged: [{ taskId: TASK, taskName: 'Weekly sales pack', enabled: false }],
    tasksUnchanged: [],
    tasksNotFound: [UNKNOWN],
    tasksRefused: [],
    totalTasksChanged: 1,
  })
  const again = await api.call('PUT', '/v4/reporttask/disable', { all: true })
  expect(again.body).toMatchObject({ tasksUnchanged: [{ taskId: TASK }], totalTasksChanged: 0 })
  expect((await api.call('PUT', `/v4/reporttask/${TASK}/enable`)).body).toMatchObject({ totalTasksChanged: 1 })
  expect((await api.call('POST', '/v4/reporttask/-/enable', {})).body.code).toBe('NOTHING_SELECTED')
  expect((await api.call('POST', '/v4/reporttask/-/enable', { taskId: ['x'] })).body.code).toBe('INVALID_ID')
  expect((await api.call('POST', `/v4/reporttask/${UNKNOWN}/enable`)).body.code).toBe('REPORTTASK_NOT_FOUND')
})

test('a task whose storage space has left the configuration can be switched off, and not on again', async () => {
  const space = { id: 'finance-share', projects: [] }
  const storageSpaces = [space]
  await using changing = await reportApi({ settings: { storageSpaces } })
  const { call } = changing
  await call('POST', '/v4/reporttask/import', { format: 'footman-reports', version: 1, ...DOCUMENT })
  const path = `/v4/reporttask/${TASK}`
  for (const [method, target, body] of [
    ['POST', `${path}/disable`, undefined],
    ['POST', '/v4/reporttask/-/disable', { all: true }],
    ['PATCH', path, { enabled: false }],
    ['PUT', path, { ...EXAMPLE, id: undefined, enabled: false }],
  ] as const) {
    storageSpaces.pop()
    expect((await call('PATCH', path, { priority: 'x', enabled: false })).status).toBe(400)
    expect((await call('PATCH', path, { description: 'y', enabled: false })).body.code).toBe('UNKNOWN_REFERENCE')
    expect((await call(method, target, body)).status).toBe(200)
    expect((await call('GET', path)).body.enabled).toBe(false)
    expect((await call('POST', `${path}/enable`)).body.details).toMatch(/no storage space finance-share/)
    storageSpaces.push(space)
    expect((await call('POST', `${path}/enable`)).status).toBe(200)
  }
})

test('an incomplete task stays off, others go on', async () => {
  const reportId = await create('/v4/report', BODIES.report)
  const base = { project: 'Sales', reports: [use(reportId)] }
  const hub = { enabled: true }
  const storage = [{ spaceId: 'finance-share', folder: 'out' }]
  const mailed = { email: { enabled: true }, recipients: [{ type: 'address', address: 'a@x.com' }] }
  const delivered = (deliver: object) => ({ reports: [{ ...use(reportId), deliver }] })
  const cycle = { fields: ['Region'], emailTo: '=x' }
  const cycled = { reports: [use(reportId), { ...use(reportId), key: 'b', cycle, deliver: { email: 'none' } }] }
  const good = await create('/v4/reporttask', { ...base, name: 'good', hub })
  const bodies: [object, string][] = [
    [{ name: 'no report', project: 'Sales', hub }, 'The task has no report.'],
    [{ ...base, name: 'no channel' }, 'E-mail, storage and hub are all off.'],
    [
      { ...base, name: 'no recipient', email: { enabled: true } },
      'E-mail is on, but there is no recipient and no cycle.emailTo.',
    ],
    [
      { ...base, name: 'no mailed report', ...mailed, ...delivered({ email: 'none' }) },
      'E-mail is on, but deliver.email of each report is none.',
    ],
    [
      { ...base, name: 'no mailed report with storage', ...mailed, storage, ...delivered({ email: 'none' }) },
      'E-mail is on, but deliver.email of each report is none.',
    ],
    [
      { ...base, name: 'no address for what is mailed', email: { enabled: true }, ...cycled },
      'E-mail is on, but there is no recipient and no cycle.emailTo.',
    ],
    [
      { ...base, name: 'no published report', hub, ...delivered({ hub: false }) },
      'The hub is on, but deliver.hub of each report is false.',
    ],
    [
      { ...base, name: 'no stored report', storage, ...delivered({ storage: false }) },
      'No report goes to storage.0: deliver.storage of its reports is false.',
    ],
    [
      {
        ...base,
        name: 'no stored report in one place',
        storage: [...storage, { ...storage[0], reports: ['b'] }],
        reports: [use(reportId), { ...use(reportId), key: 'b', deliver: { storage: false } }],
      },
      'No report goes to storage.1: deliver.storage of its reports is false.',
    ],
  ]
  const refused = []
  for (const [body, details] of bodies) {
    const taskId = await create('/v4/reporttask', body)
    const { name } = body as { name: string }
    refused.push({ taskId, taskName: name, code: 'TASK_INCOMPLETE', details })
    const answer = await api.call('POST', `/v4/reporttask/${taskId}/enable`)
    expect([answer.status, answer.body.code, answer.body.details]).toEqual([409, 'TASK_INCOMPLETE', details])
    expect((await api.call('PATCH', `/v4/reporttask/${taskId}`, { enabled: true })).status).toBe(409)
  }
  const { body } = await api.call('POST', '/v4/reporttask/-/enable', { all: true })
  expect(body.tasksChanged).toEqual([{ taskId: good, taskName: 'good', enabled: true }])
  const byName = (a: { taskName: string }, b: { taskName: string }) => (a.taskName < b.taskName ? -1 : 1)
  expect(body.tasksRefused).toEqual(refused.sort(byName))
  // A task that is on keeps what it needs.
  expect((await api.call('PATCH', `/v4/reporttask/${good}`, { reports: [] })).body.code).toBe('TASK_INCOMPLETE')
})

test.each<[string, object, string, string]>([
  ['a pattern', { fileName: '{nonsense}' }, 'INVALID_PATTERN', 'reports.0.fileName'],
  ['a field that is not in the cycle', { fileName: '{cycle:Region}' }, 'INVALID_PATTERN', 'reports.0.fileName'],
  ['a format of templates', { format: 'docx' }, 'FORMAT_NOT_POSSIBLE', 'reports.0.format'],
  ['an unknown block', { format: 'csv', block: 'none' }, 'FORMAT_NOT_POSSIBLE', 'reports.0.block'],
  ['a block of another type', { format: 'csv', block: 'trend' }, 'FORMAT_NOT_POSSIBLE', 'reports.0.block'],
  ['several suitable blocks', { format: 'png' }, 'FORMAT_NOT_POSSIBLE', 'reports.0.block'],
  ['an embedded PDF', { deliver: { email: 'embed' } }, 'VALIDATION', 'reports.0.deliver.email'],
  ['a literal password', { protect: { pdfPassword: 'secret' } }, 'VALIDATION', 'reports.0.protect.pdfPassword'],
  [
    'an unknown secret',
    { protect: { pdfPassword: 'secretRef:none' } },
    'UNKNOWN_REFERENCE',
    'reports.0.protect.pdfPassword',
  ],
  [
    'a password without zip',
    { protect: { zipPassword: 'secretRef:weeklyZip' } },
    'VALIDATION',
    'reports.0.protect.zipPassword',
  ],
  [
    'a password and PDF/A',
    { options: { pdf: { archive: true } }, protect: { pdfPassword: 'secretRef:weeklyZip' } },
    'VALIDATION',
    'reports.0.protect.pdfPassword',
  ],
  [
    'too many pixels',
    { format: 'png', block: 'trend', options: { png: { widthPx: 4000, heightPx: 4000 } } },
    'VALIDATION',
    'reports.0.options.png',
  ],
])('a use of a report with %s is refused', async (_, change, code, path) => {
  const reportId = await create('/v4/report', BODIES.report)
  const answer = await api.call('POST', '/v4/reporttask', {
    project: 'Sales',
    name: 'T',
    reports: [use(reportId, change)],
  })
  expect([answer.status, answer.body.code, answer.body.issues?.[0].path]).toEqual([400, code, path])
})

test.each<[string, object, string, string]>([
  ['a cron expression', { triggers: [{ type: 'schedule', cron: '0 6 * 13 *' }] }, 'INVALID_CRON', 'triggers.0.cron'],
  ['months from 0', { triggers: [{ type: 'schedule', cron: '0 6 * 0 *' }] }, 'INVALID_CRON', 'triggers.0.cron'],
  ['neither cron nor once', { triggers: [{ type: 'schedule' }] }, 'VALIDATION', 'triggers.0'],
  ['a zone', { triggers: [{ type: 'mqtt', topic: 'x', timezone: 'Mars' }] }, 'INVALID_TIMEZONE', 'triggers.0.timezone'],
  [
    'an unknown task',
    { triggers: [{ type: 'reportTask', taskId: UNKNOWN, on: ['success'] }] },
    'UNKNOWN_REFERENCE',
    'triggers.0.taskId',
  ],
  ['an unknown space', { storage: [{ spaceId: 'none' }] }, 'UNKNOWN_REFERENCE', 'storage.0.spaceId'],
  [
    'a space of other projects',
    { project: 'HR', storage: [{ spaceId: 'finance-share' }] },
    'WRONG_PROJECT',
    'storage.0.spaceId',
  ],
  [
    'a folder that leads out',
    { storage: [{ spaceId: 'finance-share', folder: '..\\..\\x' }] },
    'INVALID_PATTERN',
    'storage.0.folder',
  ],
  ['a drive', { storage: [{ spaceId: 'finance-share', folder: 'C:foo' }] }, 'INVALID_PATTERN', 'storage.0.folder'],
  ['a subject', { email: { subject: '{outcome}' } }, 'INVALID_PATTERN', 'email.subject'],
  ['a recipient of all', { email: { subject: '{recipient}', grouping: 'single' } }, 'INVALID_PATTERN', 'email.subject'],
  [
    'a notification',
    { notifications: [{ on: ['error'], recipients: ['a@b.example'], subject: '{report}' }] },
    'INVALID_PATTERN',
    'notifications.0.subject',
  ],
  ['test mode without address', { testMode: { enabled: true } }, 'VALIDATION', 'testMode'],
  [
    'a recipient without a channel',
    { recipients: [{ type: 'address', address: 'a@b.example', email: false }] },
    'VALIDATION',
    'recipients.0',
  ],
])('a task with %s is refused', async (_, change, code, path) => {
  const answer = await api.call('POST', '/v4/reporttask', { project: 'Sales', name: 'T', ...change })
  expect([answer.status, answer.body.code, answer.body.issues?.[0].path]).toEqual([400, code, path])
})

test('tasks do not start each other in a circle', async () => {
  const after = (taskId: string) => ({ triggers: [{ type: 'reportTask', taskId, on: ['success'] }] })
  const a = await create('/v4/reporttask', { name: 'A' })
  const b = await create('/v4/reporttask', { name: 'B', ...after(a) })
  const c = await create('/v4/reporttask', { name: 'C', ...after(b) })
  const answer = await api.call('PATCH', `/v4/reporttask/${a}`, after(c))
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'TRIGGER_CYCLE', details: 'Each of these tasks would start the next: A > B > C > A.' },
  })
  expect((await api.call('PATCH', `/v4/reporttask/${a}`, after(a))).body.code).toBe('TRIGGER_CYCLE')
  expect((await api.call('DELETE', `/v4/reporttask/${a}`)).body.code).toBe('IN_USE')
})

test('a trigger keeps its id', async () => {
  const trigger = { type: 'schedule', cron: '0 6 * * 1-5' }
  const id = await create('/v4/reporttask', { name: 'T', triggers: [trigger] })
  const before = (await api.call('GET', `/v4/reporttask/${id}`)).body.triggers[0].id
  const answer = await api.call('PUT', `/v4/reporttask/${id}`, {
    name: 'T',
    triggers: [{ ...trigger, cron: '0 7 * * *' }],
  })
  expect(answer.body.triggers[0]).toMatchObject({ id: before, cron: '0 7 * * *' })
})

test('a copy is off, with triggers of its own', async () => {
  await importAll(DOCUMENT)
  const copy = await api.call('POST', `/v4/reporttask/${TASK}/copy`)
  expect(copy).toMatchObject({
    status: 201,
    body: { name: 'Weekly sales pack (copy)', enabled: false, project: 'Sales', revision: 1 },
  })
  expect(copy.headers.location).toBe(`/v4/reporttask/${copy.body.id}`)
  expect(copy.body.triggers[0].id).not.toBe(EXAMPLE.triggers[0]!.id)
  expect((await api.call('POST', `/v4/reporttask/${TASK}/copy`)).body.name).toBe('Weekly sales pack (copy 2)')
  expect((await api.call('POST', `/v4/reporttask/${TASK}/copy`, { name: 'Weekly sales pack' })).body.code).toBe(
    'NAME_TAKEN',
  )
})

test('a report keeps the blocks that tasks show', async () => {
  const reportId = await create('/v4/report', BODIES.report)
  await create('/v4/reporttask', {
    project: 'Sales',
    name: 'T',
    reports: [use(reportId, { format: 'csv', block: 'detail' })],
  })
  const answer = await api.call('PATCH', `/v4/report/${reportId}`, { blocks: BODIES.report.blocks.slice(0, 2) })
  expect(answer.body).toMatchObject({
    code: 'FORMAT_NOT_POSSIBLE',
    details: 'Report task "T", reports.0.block: The report has no block detail.',
  })
})

test('storage spaces without their folders', async () => {
  mkdirSync(api.folder.join('share'))
  await using other = await reportApi({
    storageSpaces: [
      { id: 'finance-share', name: 'Finance share', directory: api.folder.join('share'), projects: ['Sales'] },
      { id: 'gone', name: 'Gone', directory: api.folder.join('none'), projects: [] },
    ],
  })
  const { body } = await other.call('GET', '/v4/storagespace')
  expect(body.storageSpaces[0].freeBytes).toBeGreaterThan(0)
  expect(body).toEqual({
    storageSpaces: [
      {
        id: 'finance-share',
        name: 'Finance share',
        available: true,
        freeBytes: body.storageSpaces[0].freeBytes,
        projects: ['Sales'],
      },
      { id: 'gone', name: 'Gone', available: false, freeBytes: null, projects: [] },
    ],
  })
})
