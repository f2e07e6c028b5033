/** `footman reports` in front of the endpoints of report definitions. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { runList } from '../../../src/cli/remote/list.ts'
import { runReportsExport, runReportsImport, runReportsSwitch } from '../../../src/cli/remote/reports.ts'
import { BODIES, type ReportApi, reportApi, UNKNOWN } from '../../support/reports.ts'
import { heard } from '../../support/rest-stub.ts'

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
  ).toEqual([
    ['NAME', 'PROJECT', 'STATE'],
    ['Weekly sales pack', 'Sales', 'off'],
  ])
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
