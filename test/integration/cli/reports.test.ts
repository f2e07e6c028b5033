/** `footman reports` in front of the endpoints of report definitions and of runs. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { runList } from '../../../src/cli/remote/list.ts'
import { runReportsLog, runReportsPlan, runReportsStart } from '../../../src/cli/remote/report-runs.ts'
import { runReportsExport, runReportsImport, runReportsSwitch } from '../../../src/cli/remote/reports.ts'
import { ReportError } from '../../../src/reports/codes.ts'
import { type RunRouteDeps, runRoutes } from '../../../src/reports/http/runs.ts'
import { exampleDocument, prepared, type RunScene, runScene } from '../../support/report-runs.ts'
import { BODIES, type ReportApi, reportApi, UNKNOWN } from '../../support/reports.ts'
import { heard, restStub } from '../../support/rest-stub.ts'
import { tempDirectory } from '../../support/temp.ts'

let api: ReportApi
beforeEach(async () => {
  api = await reportApi()
  const { body } = await api.call('POST', '/v4/report', BODIES.report)
  const reports = [{ key: 'a', reportId: body.id, format: 'pdf' }]
  const task = { project: 'Sales', reports, hub: { enabled: true }, tags: ['weekly'] }
  await api.call('POST', '/v4/reporttask', { ...task, name: 'Weekly sales pack' })
  await api.call('POST', '/v4/reporttask', { project: 'Sales', name: 'Unfinished' })
})
afterEach(() => api[Symbol.asyncDispose]())

/** Without the line that names the installation. */
const errorsOf = (io: ReturnType<typeof heard>) => io.stderr().replace(/^footman: answered by .*\n/, '')

const common = () => ({ url: `http://127.0.0.1:${api.port}`, key: 'fm_test', timeout: 10_000 })
const selected = (more: object = {}) => ({ ...common(), tag: [], project: [], ...more })

test('list', async () => {
  const io = heard()
  expect(await runList('reports list', 'weekly', { ...common(), limit: 500 }, io)).toBe(0)
  expect(
    io
      .stdout()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/).slice(0, 3)),
  ).toEqual([['NAME', 'PROJECT', 'STATE'], ['Weekly sales pack', 'Sales', 'off'], [''], ['Times are in the zone UTC.']])
})

test('enable and disable, by name and tag', async () => {
  const io = heard()
  expect(await runReportsSwitch('enable', ['weekly SALES pack'], selected(), io)).toBe(0)
  expect(io.stdout()).toBe('Switched on: Weekly sales pack')
  const again = heard()
  expect(await runReportsSwitch('enable', [], selected({ all: true }), again)).toBe(2)
  expect(again.stdout()).toBe('Was on before: Weekly sales pack')
  expect(errorsOf(again)).toBe('error: Unfinished: The task has no report.')
  const off = heard()
  expect(await runReportsSwitch('disable', [UNKNOWN], selected({ tag: ['weekly'] }), off)).toBe(3)
  expect([off.stdout(), errorsOf(off)]).toEqual([
    'Switched off: Weekly sales pack',
    `error: ${UNKNOWN}: no report task has this id`,
  ])
})

test('names that do not exist, and no selection', async () => {
  const io = heard()
  expect(await runReportsSwitch('enable', ['Weekly sales pak'], selected(), io)).toBe(3)
  expect(errorsOf(io)).toBe(
    'error: report task "Weekly sales pak": no report task has this name; did you mean "Weekly sales pack"?',
  )
  const none = heard()
  expect(await runReportsSwitch('disable', [], selected(), none)).toBe(1)
  expect(none.stderr()).toContain('name tasks, or give --tag, --project or --all')
})

test('export and import', async () => {
  const file = api.folder.join('reports.json')
  expect(await runReportsExport({ ...common(), output: file }, heard())).toBe(0)
  const whole = readFileSync(file, 'utf8')
  const out = heard()
  expect(await runReportsExport(common(), out)).toBe(0)
  expect(`${out.stdout()}\n`).toBe(whole)

  await using other = await reportApi()
  const there = { ...common(), url: `http://127.0.0.1:${other.port}` }
  const input = (async function* () {
    yield whole
  })()
  const dry = heard()
  expect(await runReportsImport(file, { ...there, dryRun: true }, input, dry)).toBe(0)
  expect(dry.stdout()).toBe(
    [
      'created: report "Sales pack"',
      'created: reportTask "Unfinished"',
      'created: reportTask "Weekly sales pack"',
      '3 created, 0 updated, 0 unchanged, 0 deleted (dry run, nothing was saved)',
    ].join('\n'),
  )
  expect(await runReportsImport(undefined, there, input, heard())).toBe(0)
  expect((await other.call('GET', '/v4/reporttask/export')).body).toEqual(JSON.parse(whole))
})

test('an import that is refused, and a file that is none', async () => {
  const bad = heard()
  expect(await runReportsImport(api.folder.join('none'), common(), [] as never, bad)).toBe(1)
  const io = heard()
  const input = (async function* () {
    yield '{"format":"footman-reports","version":1,"reportTasks":[{"id":"x"}]}'
  })()
  expect(await runReportsImport(undefined, common(), input, io)).toBe(1)
  expect(errorsOf(io)).toBe(
    'error: import: Invalid request body: 1 problem: reportTasks.0.id\n      reportTasks.0.id: Must be a GUID (status 400)',
  )
})

/** The endpoints of runs beside those of definitions, with the task `Weekly sales pack` that mails one report. */
async function withRuns(scene: Partial<RunScene> = {}, enabled = true) {
  const folder = tempDirectory()
  const runs = runScene({
    file: folder.join('runs.db'),
    definitionOf: (id) => served.store.definitionOf(id) ?? null,
    ...scene,
  })
  const deps: RunRouteDeps = {
    allowedDomains: [],
    ledger: runs.ledger,
    runner: runs.runner,
    runLog: { read: async () => `${runs.lines.join('\n')}\n` } as unknown as RunRouteDeps['runLog'],
    blobs: { path: () => '/nowhere' },
    clock: Date,
    taskOf: (id) => served.store.get('task', id) ?? null,
    tasksTagged: () => [],
    definitionOf: (id) => served.store.definitionOf(id) ?? null,
    unsaved: () => Promise.reject(new Error('not used here')),
  }
  const served: ReportApi = await reportApi({ routes: runRoutes(deps) })
  const report = await served.call('POST', '/v4/report', BODIES.report)
  const task = await served.call('POST', '/v4/reporttask', {
    project: 'Sales',
    name: 'Weekly sales pack',
    enabled,
    reports: [{ key: 'pack', reportId: report.body.id, format: 'pdf', deliver: { email: 'attach' } }],
    email: { enabled: true, subject: 'Weekly sales' },
    recipients: [{ type: 'address', address: 'a@x.com' }],
  })
  if (task.status !== 201) throw new Error(JSON.stringify(task.body))
  await runs.runner.start()
  return {
    ...runs,
    options: { url: `http://127.0.0.1:${served.port}`, key: 'fm_test', timeout: 10_000 },
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]()
      await runs.runner.stop(0)
      runs.db.close()
      folder.remove()
    },
  }
}

/** Ids and lengths of time, which differ from run to run. */
const steady = (text: string): string =>
  text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID').replaceAll(/after [\d.]+ s/g, 'after N s')
/** States that a quick run may pass unseen. */
const withoutProgress = (text: string): string => text.replaceAll(/^.*: (queued|running|delivering)\n/gm, '')

test('start, wait for the end, list the runs, read the log', async () => {
  await using scene = await withRuns()
  const io = heard()
  expect(await runReportsStart(['weekly sales pack'], { ...scene.options, wait: true }, io)).toBe(0)
  expect(withoutProgress(steady(io.stdout()))).toBe(
    ['Started: Weekly sales pack, run ID', 'Weekly sales pack: success after N s', '  1 document, 3 mails sent'].join(
      '\n',
    ),
  )
  const listed = heard()
  expect(await runList('reports runs', 'Weekly sales pack', { ...scene.options, limit: 50 }, listed)).toBe(0)
  const [head, row, ...others] = listed
    .stdout()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
  expect(head).toEqual(['QUEUED', 'TASK', 'STATE', 'RAN', 'MADE', 'MAILS', 'FILES', 'ID'])
  expect([row?.slice(1, 3), row?.slice(4, 7), others]).toEqual([
    ['Weekly sales pack', 'success'],
    ['1', '3', '0'],
    [[''], ['Times are in the zone UTC.']],
  ])
  const none = heard()
  expect(await runList('reports runs', undefined, { ...scene.options, outcome: 'error', limit: 50 }, none)).toBe(0)
  expect(none.stdout()).toBe('No runs of report tasks.')
  for (const run of ['latest', row!.at(-1)!]) {
    const log = heard()
    expect(await runReportsLog(run, scene.options, log)).toBe(0)
    expect(log.stdout()).toBe(scene.lines.join('\n'))
  }
  const unknown = heard()
  expect(await runReportsLog(UNKNOWN, scene.options, unknown)).toBe(3)
  expect(errorsOf(unknown)).toBe(`error: run ${UNKNOWN}: Footman does not know it (any more)`)
})

test('a run that fails ends with 1 and says why', async () => {
  await using scene = await withRuns({
    prepare: () => Promise.reject(new ReportError('APP_NOT_FOUND', 'no app has this id')),
  })
  const io = heard()
  expect(await runReportsStart(['Weekly sales pack'], { ...scene.options, wait: true }, io)).toBe(4)
  expect(withoutProgress(steady(io.stdout())).split('\n').slice(1)).toEqual([
    'Weekly sales pack: error after N s',
    '  nothing was made',
    '  error APP_NOT_FOUND: no app has this id',
  ])
})

test('mails that a peer refuses are named', async () => {
  await using scene = await withRuns({
    prepare: async () => prepared(['a@x.com', 'b@x.com']),
    carriers: {
      email: async ({ delivery }) =>
        delivery.target === 'b@x.com'
          ? { state: 'failed', detail: '550 no mailbox', code: 'MAIL_REJECTED' }
          : { state: 'sent', detail: '' },
    },
  })
  const io = heard()
  expect(await runReportsStart(['Weekly sales pack'], { ...scene.options, wait: true, json: true }, io)).toBe(0)
  expect(JSON.parse(io.stdout()).runs).toMatchObject([
    { state: 'finished', outcome: 'warning', counts: { mailsSent: 1, mailsFailed: 1 } },
  ])
})

test('a run that goes on when the time is over', async () => {
  await using scene = await withRuns({ prepare: () => new Promise(() => {}) })
  const io = heard()
  expect(await runReportsStart(['Weekly sales pack'], { ...scene.options, wait: 1 }, io)).toBe(5)
  expect(io.stdout().split('\n').at(-1)).toBe('Weekly sales pack: time over, still running')
})

test('a disabled task is started by force only; options reach the run', async () => {
  await using scene = await withRuns({}, false)
  const io = heard()
  expect(await runReportsStart(['Weekly sales pack'], scene.options, io)).toBe(3)
  expect(errorsOf(io)).toBe(
    'error: Weekly sales pack: was not started: the task is switched off; --force starts it all the same',
  )
  const options = { ...scene.options, force: true, dryRun: true, ignoreConditions: true, test: 'me@x.com', wait: true }
  const forced = heard()
  expect(await runReportsStart(['Weekly sales pack'], { ...options, json: true } as never, forced)).toBe(0)
  expect(JSON.parse(forced.stdout()).runs).toMatchObject([
    {
      outcome: 'success',
      counts: { mailsSent: 0 },
      options: { dryRun: true, ignoreConditions: true, test: true, testAddress: 'me@x.com' },
    },
  ])
  const unknown = heard()
  expect(await runReportsStart([UNKNOWN], scene.options, unknown)).toBe(3)
  expect(errorsOf(unknown)).toBe(`error: ${UNKNOWN}: no report task has this id`)
})

test('a run that cannot be followed was started all the same', async () => {
  const id = '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e'
  const tasksStarted = [{ taskId: id, taskName: 'Weekly', status: 'started', runId: UNKNOWN }]
  await using stub = await restStub(({ method }) =>
    method === 'POST'
      ? [200, { tasksStarted, tasksNotFound: [], tasksSkipped: [] }]
      : [403, { error: 'Forbidden', details: 'needs report:read', code: 'FORBIDDEN' }],
  )
  const io = heard()
  expect(await runReportsStart([id], { url: stub.url, key: 'k', timeout: 5000, wait: true }, io)).toBe(5)
  expect(io.stdout()).toBe(`Started: Weekly, run ${UNKNOWN}`)
  expect(io.stderr()).toContain('the tasks were started, but cannot be followed: Forbidden: needs report:read')
  expect(stub.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
})

test('plan: who gets which file, problems last', async () => {
  await using scene = await withRuns({
    prepare: async () =>
      prepared(['a@x.com', 'b@x.com'], {
        documents: [exampleDocument()],
        conditions: [{ conditionId: UNKNOWN, name: 'Backlog', met: true, rules: [] }],
      }),
  })
  const io = heard()
  expect(await runReportsPlan('Weekly sales pack', scene.options, io)).toBe(0)
  expect(io.stdout().split('\n')).toEqual([
    'Condition "Backlog": met',
    '',
    'TO       BY    FILE            SUBJECT',
    'a@x.com  mail  Sales pack.pdf  Weekly sales',
    'b@x.com  mail  Sales pack.pdf  Weekly sales',
  ])
  const one = heard()
  expect(await runReportsPlan('Weekly sales pack', { ...scene.options, recipient: 'nobody@x.com' }, one)).toBe(0)
  const unknown = heard()
  expect(await runReportsPlan(UNKNOWN, scene.options, unknown)).toBe(3)
  expect(errorsOf(unknown)).toBe(`error: report task "${UNKNOWN}": no report task has this id`)
})

test('plan with every channel', async () => {
  const plan = {
    conditions: [{ name: 'Sales up', met: false, report: 'pack', cycle: { Region: 'Nord' } }],
    skipped: null,
    documents: [],
    mails: [
      { to: 'a@x.com', cc: ['c@x.com'], subject: 'S', attachments: ['p.zip'], embedded: ['q.html'], missing: ['r'] },
      { to: 'b@x.com', subject: 'S', attachments: [] },
    ],
    files: [{ spaceId: 'share', path: '2026/p.pdf' }],
    hub: [{ title: 'Sales pack', visibleTo: ['anna', 'bo'] }],
    problems: [{ level: 'warning', code: 'ROWS_TRUNCATED', details: '10 of 20 rows', report: 'pack' }],
    totals: { documents: 0, mails: 2, files: 1, hub: 1 },
  }
  const answers = [
    plan,
    {
      ...plan,
      conditions: [],
      mails: [],
      files: [],
      hub: [],
      problems: [],
      totals: { documents: 0, mails: 0, files: 0, hub: 0 },
      skipped: 'CONDITION_NOT_MET',
    },
  ]
  await using stub = await restStub(() => [200, answers.shift()])
  const options = { url: stub.url, key: 'k', timeout: 5000 }
  const io = heard()
  expect(await runReportsPlan(UNKNOWN, { ...options, recipient: 'a@x.com' }, io)).toBe(0)
  expect(io.stdout().split('\n')).toEqual([
    'Condition "Sales up" (report pack, Region = Nord): not met',
    '',
    'TO                    BY    FILE                  SUBJECT',
    'a@x.com (cc c@x.com)  mail  q.html (in the body)  S',
    'a@x.com (cc c@x.com)  mail  p.zip                 S',
    'a@x.com (cc c@x.com)  mail  r (missing)           S',
    'b@x.com               mail  - (no attachment)     S',
    'share                 file  2026/p.pdf',
    'anna, bo              hub   Sales pack',
    '',
    'Problems',
    '  warning ROWS_TRUNCATED, report pack: 10 of 20 rows',
  ])
  expect(stub.requests.at(-1)?.path).toBe(`/v4/reporttask/${UNKNOWN}/plan?recipient=a%40x.com`)
  const nothing = heard()
  expect(await runReportsPlan(UNKNOWN, options, nothing)).toBe(0)
  expect(nothing.stdout()).toBe('Nothing would be sent (CONDITION_NOT_MET).')
})
