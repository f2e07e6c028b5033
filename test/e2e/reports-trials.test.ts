/** Definitions tried out in the compiled executable: a report made once, a condition tested, the plan of an unsaved task. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { type Named, REGIONS, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { atMost, until } from '../support/wait.ts'

const UNKNOWN = '00000000-0000-4000-8000-000000000000'

interface Refused {
  readonly statusCode: number
  readonly code: string
  readonly details: string
  readonly issues?: readonly { readonly path: string }[]
}

let reports: ReportSite
let report: Named

beforeAll(async () => {
  reports = await startReportSite()
  report = await reports.salesReport('Tried out')
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())
/** Nothing of a trial is kept or sent. */
afterEach(async () => {
  const { total } = await reports.call<{ total: number }>('GET', '/v4/reportrun')
  const { reportTasks } = await reports.call<{ reportTasks: unknown[] }>('GET', '/v4/reporttask')
  expect([total, reportTasks]).toEqual([0, []])
  expect(reports.mailbox.mails).toEqual([])
  expect(readdirSync(reports.space.join('finance'))).toEqual([])
})

const refused = async (path: string, body: unknown, status: number) => {
  const { code, statusCode, details, issues } = await reports.call<Refused>('POST', path, body, status)
  expect(statusCode).toBe(status)
  return { code, details, paths: issues?.map((one) => one.path) ?? [] }
}

describe('a report made once', () => {
  test.each([
    ['html', 'text/html', (bytes: Buffer) => bytes.toString().includes('Benelux')],
    ['json', 'application/json', (bytes: Buffer) => JSON.stringify(JSON.parse(bytes.toString())).includes('Benelux')],
    ['pdf', 'application/pdf', (bytes: Buffer) => bytes.subarray(0, 5).toString() === '%PDF-'],
    [
      'xlsx',
      'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
      (bytes: Buffer) => bytes.subarray(0, 2).toString() === 'PK',
    ],
  ])('as %s', async (format, mediaType, isWhole) => {
    const answer = await reports.product.call('POST', `/v4/report/${report.id}/render?format=${format}`)
    expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([200, mediaType])
    expect(answer.headers.get('content-disposition')).toMatch(
      new RegExp(`^attachment; filename\\*=UTF-8''Tried%20out.*\\.${format}$`),
    )
    expect(isWhole(Buffer.from(await answer.arrayBuffer()))).toBe(true)
  })

  test.each([
    ['an id that is none', () => 'x', 'pdf', 400, 'INVALID_ID'],
    ['an unknown report', () => UNKNOWN, 'pdf', 404, 'REPORT_NOT_FOUND'],
    ['an unknown format', () => report.id, 'doc', 400, 'VALIDATION'],
    ['a format that does not fit its blocks', () => report.id, 'docx', 400, 'FORMAT_NOT_POSSIBLE'],
  ])('%s is refused', async (_, id, format, status, code) => {
    expect((await refused(`/v4/report/${id()}/render?format=${format}`, undefined, status)).code).toBe(code)
  })

  test('an app and an object that do not exist are named', async () => {
    const lost = await reports.salesReport('Lost', { appId: UNKNOWN })
    const answer = await refused(`/v4/report/${lost.id}/render?format=html`, undefined, 422)
    expect([answer.code, answer.details]).toEqual(['APP_NOT_FOUND', expect.stringContaining(UNKNOWN)])
    const blocks = [{ key: 'gone', type: 'object', objectId: 'NoSuchObject' }]
    const broken = await reports.salesReport('Broken', { blocks })
    const second = await refused(`/v4/report/${broken.id}/render?format=csv`, undefined, 422)
    expect([second.code, second.details]).toEqual(['OBJECT_NOT_FOUND', expect.stringContaining('NoSuchObject')])
  })

  test('while it is made, its session at the engine is a metric; a caller who hangs up ends it', async () => {
    const sessions = async () => {
      const text = await (await reports.product.call('GET', '/metrics')).text()
      return /^footman_report_engine_sessions (\d+)$/m.exec(text)?.[1]
    }
    const { simulator } = reports.site
    simulator.fault({ listener: 'engine', mode: 'engine-stall', args: ['GetHyperCubeData'] })
    const hangUp = new AbortController()
    const answer = fetch(`http://127.0.0.1:${reports.product.restPort}/v4/report/${report.id}/render?format=html`, {
      method: 'POST',
      signal: hangUp.signal,
    }).catch(() => 'hung up')
    await until(async () => (await sessions()) === '1', { timeout: 20_000 })
    hangUp.abort()
    expect(await answer).toBe('hung up')
    await until(async () => (await sessions()) === '0', { timeout: 20_000 })
    simulator.clearFaults()
  }, 60_000)
})

/** The whole definition of the report, as an editor has it. */
async function definition(changes: object = {}): Promise<object> {
  const { id, createdAt, createdBy, modifiedAt, modifiedBy, revision, ...own } = await reports.call<
    Record<string, unknown>
  >('GET', `/v4/report/${report.id}`)
  return { ...own, ...changes }
}

const REGION_COLUMNS = [
  { label: 'Region', expr: 'Region', kind: 'dimension' },
  { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
]
const REGION_TABLE = [
  { key: 'table', type: 'table', columns: REGION_COLUMNS, sort: [{ column: 'Region', dir: 'asc' }] },
]

/** A preview as rows of CSV or as its page. */
async function previewed(path: string, body: object): Promise<string> {
  const answer = await reports.product.call('POST', path, body)
  const text = await answer.text()
  expect([path, answer.status, answer.status === 200 ? '' : text]).toEqual([path, 200, ''])
  return text
}
const firstColumn = (csv: string): string[] =>
  csv
    .replace(/^\uFEFF/, '')
    .trim()
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(',')[0]!.replaceAll('"', ''))

describe('the preview of a report that is not saved', () => {
  const PATH = '/v4/report/-/preview'

  test('is its page without any right, with what the form holds', async () => {
    const body = await definition({ name: 'Never saved', blocks: [{ key: 'a', type: 'text', markdown: '# Hello' }] })
    const answer = await reports.product.call('POST', PATH, body)
    const page = await answer.text()
    expect([answer.status, page]).toEqual([200, expect.stringContaining('Hello')])
    expect(page).toContain('Never saved')
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
      'x-frame-options': 'SAMEORIGIN',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-store',
    })
    const saved = await reports.call<{ reports: { name: string }[] }>('GET', '/v4/report')
    expect(saved.reports.map(({ name }) => name)).not.toContain('Never saved')
  })

  test('has the rows that were asked for, and says how many there are', async () => {
    const body = await definition({ blocks: REGION_TABLE })
    expect(firstColumn(await previewed(`${PATH}?format=csv`, body))).toEqual([...REGIONS])
    expect(firstColumn(await previewed(`${PATH}?format=csv&maxRows=2`, body))).toEqual([
      'Benelux',
      'DACH',
      'Showing the first 2 of 5 rows',
    ])
    expect(await previewed(`${PATH}?maxRows=2`, body)).toContain('2 of 5 rows')
  })

  test('has the filters of a recipient, and stands at the first value of a cycle', async () => {
    const south = await reports.filter('Previewed', { type: 'values', field: 'Region', values: ['Iberia'] })
    await reports.person('preview@acme.example', south.id)
    const body = await definition({ blocks: REGION_TABLE })
    const asRecipient = `${PATH}?format=csv&asRecipient=Preview@acme.example`
    expect(firstColumn(await previewed(asRecipient, body))).toEqual(['Iberia'])
    const cycled = { ...body, cycle: { fields: ['Region'] } }
    expect(firstColumn(await previewed(`${PATH}?format=csv`, cycled))).toEqual(['Nordic'])
    expect(firstColumn(await previewed(asRecipient, cycled))).toEqual(['Iberia'])
  })

  test.each<[string, object, string, number, string, string[]]>([
    ['no blocks', { blocks: [] }, '', 400, 'VALIDATION', ['blocks']],
    ['an unknown member', { colour: 'red' }, '', 400, 'VALIDATION', ['colour']],
    ['an unknown filter', { filterIds: [UNKNOWN] }, '', 400, 'UNKNOWN_REFERENCE', ['filterIds.0']],
    ['an unknown recipient', {}, '?asRecipient=who@acme.example', 400, 'VALIDATION', ['asRecipient']],
    ['an unknown format', {}, '?format=doc', 400, 'VALIDATION', ['format']],
    ['a format of templates', {}, '?format=docx', 400, 'FORMAT_NOT_POSSIBLE', []],
    ['too many rows', {}, '?maxRows=10001', 400, 'VALIDATION', ['maxRows']],
    ['an unknown app', { appId: UNKNOWN }, '', 422, 'APP_NOT_FOUND', []],
  ])('%s is refused', async (_, changes, query, status, code, paths) => {
    const answer = await refused(`${PATH}${query}`, await definition(changes), status)
    expect([answer.code, answer.paths]).toEqual([code, paths])
  })

  test('a filter that fits no value is named, and an inactive recipient', async () => {
    const lost = await reports.filter('Misspelt', { type: 'values', field: 'Region', values: ['Norrdic'] })
    const answer = await refused(PATH, await definition({ filterIds: [lost.id] }), 422)
    expect(answer).toMatchObject({ code: 'REPORT_NOT_MADE', details: 'FILTER_VALUE_UNKNOWN: Region: Norrdic' })
    const { id } = await reports.person('away@acme.example')
    await reports.call('PATCH', `/v4/recipient/${id}`, { active: false })
    const away = await refused(`${PATH}?asRecipient=away@acme.example`, await definition(), 422)
    expect(away.details).toBe('NO_RECIPIENTS: away@acme.example is no active recipient')
  })
})

describe('the preview of a task that is not saved', () => {
  const PATH = '/v4/reporttask/-/preview'

  test('is the document of the first recipient, or of the chosen one', async () => {
    const tables = await reports.salesReport('Previewed table', { blocks: REGION_TABLE })
    const people = []
    for (const region of ['DACH', 'Nordic']) {
      const own = await reports.filter(`Task ${region}`, { type: 'values', field: 'Region', values: [region] })
      people.push(await reports.person(`${region.toLowerCase()}@acme.example`, own.id))
    }
    const task = {
      project: 'Sales',
      name: 'Not saved',
      storage: [{ spaceId: 'finance' }],
      email: { enabled: true, subject: '{task}' },
      reports: [
        { key: 'page', reportId: report.id, format: 'pdf' },
        { key: 'list', reportId: tables.id, format: 'csv', fileName: 'List of {report}' },
      ],
      recipients: people.map(({ id }) => ({ type: 'recipient', recipientId: id })),
    }
    expect(firstColumn(await previewed(`${PATH}?report=list`, task))).toEqual(['DACH'])
    const nordic = `${PATH}?report=list&asRecipient=nordic@acme.example`
    expect(firstColumn(await previewed(nordic, task))).toEqual(['Nordic'])
    const file = await reports.product.call('POST', `${PATH}?report=list`, task)
    expect(file.headers.get('content-disposition')).toBe(
      "attachment; filename*=UTF-8''List%20of%20Previewed%20table.csv",
    )
    expect(await previewed(`${PATH}?format=html`, task)).toContain('<title>Tried out')
    expect((await previewed(PATH, task)).slice(0, 5)).toBe('%PDF-')

    const stranger = await refused(`${PATH}?asRecipient=who@acme.example`, task, 422)
    expect(stranger.details).toBe('NO_RECIPIENTS: who@acme.example is no active recipient')
    expect((await refused(`${PATH}?report=none`, task, 400)).paths).toEqual(['reports'])
    expect((await refused(PATH, { ...task, reports: [] }, 400)).paths).toEqual(['reports'])
  })
})

describe('a condition tested', () => {
  const condition = (name: string, changes: object = {}) =>
    reports.call('POST', '/v4/reportcondition', {
      project: 'Sales',
      name,
      appId: SALES_APP,
      rules: [
        {
          type: 'rowCount',
          of: { table: [{ label: 'Region', expr: 'Region', kind: 'dimension' }] },
          op: 'gt',
          count: 3,
        },
      ],
      ...changes,
    })
  interface Tested {
    readonly met: boolean
    readonly rules: readonly object[]
    readonly durationMs: number
  }
  const tested = (id: string, body?: object) =>
    reports.call<Tested>('POST', `/v4/reportcondition/${id}/test`, body, 200)

  test('with and without filters: whether it is met, and the values of its rules', async () => {
    const { id } = await condition('Many regions')
    const all = await tested(id)
    expect([all.met, all.rules]).toEqual([true, [{ type: 'rowCount', met: true, left: REGIONS.length, right: 3 }]])
    expect(all.durationMs).toBeGreaterThan(0)
    const one = await reports.filter('One region', { type: 'values', field: 'Region', values: ['Nordic'] })
    const few = await tested(id, { filterIds: [one.id] })
    expect([few.met, few.rules]).toEqual([false, [{ type: 'rowCount', met: false, left: 1, right: 3 }]])
  })

  test('a rule that cannot be evaluated is part of the answer', async () => {
    const broken = { type: 'value', left: { expr: '=Sum(' }, op: 'gt', right: { const: 1 } }
    const { id } = await condition('Broken rule', { rules: [broken] })
    expect(await tested(id)).toMatchObject({
      met: false,
      rules: [{ type: 'value', met: false, error: expect.any(String) }],
    })
  })

  test('a condition without an app takes that of a filter, else it is refused', async () => {
    const { id } = await condition('No app', { appId: null })
    expect(await refused(`/v4/reportcondition/${id}/test`, {}, 400)).toMatchObject({
      code: 'VALIDATION',
      details: expect.stringContaining('filterIds'),
    })
    const bound = await reports.call('POST', '/v4/reportfilter', {
      project: 'Sales',
      name: 'Bound',
      appId: SALES_APP,
      clauses: [{ type: 'values', field: 'Region', values: ['Nordic', 'DACH', 'Iberia', 'Benelux'] }],
    })
    expect(await tested(id, { filterIds: [bound.id] })).toMatchObject({ met: true, rules: [{ left: 4 }] })
  })

  test('rules that ask no app need none', async () => {
    const pair = { type: 'keyValue', namespace: 'trial', key: 'state', op: 'eq', value: 'ready' }
    const state = { type: 'taskState', taskId: UNKNOWN, is: 'notRunning' }
    const file = { type: 'file', spaceId: 'finance', path: 'a.txt', is: 'exists' }
    const days = { type: 'calendar', allow: { weekdays: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] } }
    const rules = { pair: [pair], days: [days], state: [state], file: [file], all: [pair, days] }
    const results = new Map<string, Tested>()
    for (const [name, some] of Object.entries(rules)) {
      const { id } = await condition(`No app: ${name}`, { appId: null, rules: some })
      results.set(name, await tested(id, {}))
    }
    expect(results.get('pair')).toMatchObject({ met: false, rules: [{ type: 'keyValue', met: false }] })
    expect(results.get('days')).toMatchObject({ met: true, rules: [{ type: 'calendar', met: true }] })
    expect(results.get('state')?.rules).toMatchObject([{ type: 'taskState' }])
    expect(results.get('file')?.rules).toMatchObject([{ type: 'file', met: false }])
    expect(results.get('all')?.rules).toHaveLength(2)
    const { id } = await condition('No app: unknown filter', { appId: null, rules: [days] })
    const answer = await refused(`/v4/reportcondition/${id}/test`, { filterIds: [UNKNOWN] }, 400)
    expect([answer.code, answer.paths]).toEqual(['UNKNOWN_REFERENCE', ['filterIds.0']] as never)
  })

  test.each([
    ['an id that is none', 'x', {}, 400, 'INVALID_ID', []],
    ['an unknown condition', UNKNOWN, {}, 404, 'REPORTCONDITION_NOT_FOUND', []],
    ['an unknown filter', null, { filterIds: [UNKNOWN] }, 400, 'UNKNOWN_REFERENCE', ['filterIds.0']],
    ['a filter id that is none', null, { filterIds: ['x'] }, 400, 'VALIDATION', ['filterIds.0']],
    ['an unknown member', null, { filters: [] }, 400, 'VALIDATION', ['filters']],
  ])('%s is refused', async (name, id, body, status, code, paths) => {
    const tried = id ?? (await condition(`Refused: ${name}`)).id
    const answer = await refused(`/v4/reportcondition/${tried}/test`, body, status)
    expect([answer.code, answer.paths]).toEqual([code, paths] as never)
  })
})

describe('the plan of a task that is not saved', () => {
  const draft = (changes: object = {}) => ({
    project: 'Sales',
    name: 'Draft',
    reports: [
      {
        key: 'pack',
        reportId: report.id,
        format: 'csv',
        block: 'table',
        fileName: '{report}{cycle}',
        cycle: { fields: ['Region'] },
      },
    ],
    recipients: [{ type: 'address', address: 'anna@acme.example' }],
    email: { enabled: true, subject: 'Draft {date:yyyy}' },
    storage: [{ spaceId: 'finance', folder: 'draft' }],
    ...changes,
  })
  interface Planned {
    readonly documents: readonly { readonly cycle: object; readonly fileName: string }[]
    readonly mails: readonly { readonly to: string; readonly attachments: readonly string[] }[]
    readonly files: readonly { readonly path: string }[]
    readonly problems: readonly { readonly code: string; readonly level: string }[]
    readonly totals: object
  }
  const plan = (body: object, query = '') => reports.call<Planned>('POST', `/v4/reporttask/-/plan${query}`, body, 200)

  test('names documents, mails and files', async () => {
    const planned = await plan(draft())
    const names = REGIONS.map((region) => `Tried out_${region}.csv`)
    expect(planned.documents.map(({ fileName }) => fileName).toSorted()).toEqual(names)
    expect(planned.documents.map(({ cycle }) => cycle)).toContainEqual({ Region: 'Benelux' })
    expect(planned.mails).toMatchObject([{ to: 'anna@acme.example', subject: expect.stringMatching(/^Draft \d{4}$/) }])
    expect(planned.mails[0]!.attachments.toSorted()).toEqual(names)
    expect(planned.files.map(({ path }) => path).toSorted()).toEqual(names.map((name) => `draft/${name}`))
    expect(planned.problems).toEqual([])
  })

  test('in pages, which say how long the whole lists are', async () => {
    const all = Array.from({ length: 250 }, (_, n) => `person${String(n).padStart(3, '0')}@acme.example`)
    const task = draft({ recipients: all.map((address) => ({ type: 'address', address })) })
    const addresses = async (query: string) => {
      const { mails, totals } = await plan(task, query)
      expect(totals).toEqual({ documents: REGIONS.length, mails: 250, files: REGIONS.length, hub: 0 })
      return mails.map(({ to }) => to)
    }
    const whole = await addresses('')
    expect(whole.toSorted()).toEqual(all)
    expect(await addresses('?limit=100&offset=200')).toEqual(whole.slice(200))
    expect(await addresses('?limit=10')).toEqual(whole.slice(0, 10))
    const { id } = await reports.call<{ id: string }>('POST', '/v4/reporttask', { ...task, name: 'To many people' })
    const printed = async (...options: string[]) => {
      const args = ['reports', 'plan', id, '--url', `http://127.0.0.1:${reports.product.restPort}`, ...options]
      const { code, stdout } = await runToEnd(args)
      expect(code).toBe(0)
      return stdout
    }
    expect(await printed()).toContain(whole[249]!)
    const page = await printed('--limit', '50', '--offset', '150')
    expect([150, 199, 200].map((n) => page.includes(whole[n]!))).toEqual([true, true, false])
    expect(page).toContain(`There are 250 mails, ${REGIONS.length} files and 0 hub items. The next ones: --offset 200`)
    await reports.product.call('DELETE', `/v4/reporttask/${id}`)
  })

  test('of one recipient, and with problems that the run would have', async () => {
    const recipients = ['anna@acme.example', 'bo@acme.example', 'no address'].map((address) => ({
      type: 'expression',
      expr: `='${address}'`,
    }))
    const planned = await plan(draft({ recipients }))
    expect(planned.mails.map(({ to }) => to)).toEqual(['anna@acme.example', 'bo@acme.example'])
    expect(planned.problems).toMatchObject([{ code: 'ADDRESS_INVALID', level: 'warning' }])
    const one = await plan(draft({ recipients }), '?recipient=bo@acme.example')
    expect(one.mails.map(({ to }) => to)).toEqual(['bo@acme.example'])
  })

  test.each<[string, () => object, string, string[]]>([
    ['no name', () => draft({ name: undefined }), 'VALIDATION', ['name']],
    ['an unknown member', () => draft({ colour: 'red' }), 'VALIDATION', ['colour']],
    [
      'an unknown report',
      () => draft({ reports: [{ key: 'a', reportId: UNKNOWN, format: 'csv' }] }),
      'UNKNOWN_REFERENCE',
      ['reports.0.reportId'],
    ],
    ['another project', () => draft({ project: 'Finance' }), 'WRONG_PROJECT', ['reports.0.reportId']],
    [
      'a bad pattern',
      () => draft({ email: { enabled: true, subject: '{nonsense}' } }),
      'INVALID_PATTERN',
      ['email.subject'],
    ],
    [
      'a storage space that does not exist',
      () => draft({ storage: [{ spaceId: 'nowhere' }] }),
      'UNKNOWN_REFERENCE',
      ['storage.0.spaceId'],
    ],
  ])('%s is refused', async (_, body, code, paths) => {
    const answer = await refused('/v4/reporttask/-/plan', body(), 400)
    expect([answer.code, answer.paths]).toEqual([code, paths])
  })

  test('is refused without the app', async () => {
    const lost = await reports.salesReport('Lost too', { appId: UNKNOWN })
    const body = draft({ reports: [{ key: 'a', reportId: lost.id, format: 'csv', block: 'table' }] })
    expect((await refused('/v4/reporttask/-/plan', body, 422)).code).toBe('APP_NOT_FOUND')
  })

  test('as every trial, is refused at once while the engine is down', async () => {
    const condition = await reports.call('POST', '/v4/reportcondition', {
      project: 'Sales',
      name: 'Engine down',
      appId: SALES_APP,
      rules: [{ type: 'value', left: { expr: '=Sum(Sales)' }, op: 'gt', right: { const: 1 } }],
    })
    const { simulator } = reports.site
    simulator.fault({ listener: 'engine', mode: 'refuse' })
    const began = performance.now()
    const codes: string[] = []
    for (const [path, body] of [
      ['/v4/reporttask/-/plan', draft()],
      ['/v4/reporttask/-/preview', draft()],
      ['/v4/report/-/preview', await definition()],
      [`/v4/report/${report.id}/render?format=html`, undefined],
      [`/v4/reportcondition/${condition.id}/test`, {}],
    ] as const) {
      codes.push((await refused(path, body, 502)).code)
    }
    simulator.clearFaults()
    expect(codes).toEqual(Array(5).fill('ENGINE_UNREACHABLE'))
    // The first pause of a run is 10 seconds.
    expect(performance.now() - began).toBeLessThan(atMost(8000))
  }, 120_000)
})
