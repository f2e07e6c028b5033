/** Names from outside at the doors of the executable that make files: no formula in a CSV, nothing that turns a file name. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { smallDocument, zipOf } from '../support/office.ts'
import { attached, type Named, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { until } from '../support/wait.ts'

/** Beginnings of formulas, full width included. */
const FORMULAS = ['=1+1', '＝1+1', '＋1', '－1', '＠A1', '@A1', '+1', '-1']
/** Characters that turn or hide a part of a name: `gpj.exe` may look like `exe.jpg`. */
const TURNS = ['\u202e', '\u2067', '\u200f', '\u061c', '\u2066', '\u200b']
const TURNED = new RegExp(`[${TURNS.join('')}]`)
const NAME = `Sales ${TURNS.join('x')}fdp`
const CLEAN = 'Sales xxxxxfdp'

let reports: ReportSite
beforeAll(async () => {
  reports = await startReportSite()
}, 90_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

const get = (path: string) => reports.product.call('GET', path)
/** The file name of an answer. */
const nameOf = (answer: Response) =>
  decodeURIComponent(/filename\*=UTF-8''(.+)$/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? '')

test('footman history --format csv', async () => {
  for (const [n, name] of FORMULAS.entries()) {
    const task = `70000000-0000-4000-8000-00000000000${n + 1}`
    reports.site.simulator.setTask(task, { name, durationMs: 10, queueMs: 0, outcome: 'fail' })
    reports.site.simulator.runTask(task)
    await until(
      async () => ((await (await get('/v4/events?limit=100')).json()) as { events: object[] }).events.length > n,
      { what: `the failure of ${name}` },
    )
  }
  const shown = async (...args: string[]) => {
    const { code, stdout } = await runToEnd(['history', ...args, '--format', 'csv', '-c', reports.product.configFile])
    expect(code).toBe(0)
    return stdout
  }
  const namesIn = (text: string) => text.split('\n').map((line) => line.split(',')[2])
  const whole = await until(
    async () => {
      const text = await shown()
      return FORMULAS.every((name) => namesIn(text).includes(`'${name}`)) && text
    },
    { what: 'each name with an apostrophe', state: async () => namesIn(await shown()) },
  )
  for (const line of `${whole}\n${await shown('--summary')}`.split('\n')) {
    for (const cell of line.split(',')) expect(cell).toMatch(/^(?:[^=+\-@＝＋－＠]|-?\d|$)/)
  }
}, 60_000)

test('a report as CSV: headers, in the folder and in the mail', async () => {
  const { id } = await reports.call<Named>('POST', '/v4/report', {
    project: 'Sales',
    name: NAME,
    appId: SALES_APP,
    blocks: [
      {
        key: 'table',
        type: 'table',
        columns: FORMULAS.map((label, n) =>
          n === 0 ? { label, expr: 'Region', kind: 'dimension' } : { label, expr: `=Sum(Sales)+${n}`, kind: 'measure' },
        ),
      },
    ],
  })
  const task = await reports.mailTask('Names', id, {
    reports: [{ key: 'pack', reportId: id, format: 'csv', block: 'table', fileName: `{report} ${TURNS[0]}vsc` }],
    recipients: [{ type: 'address', address: 'names@acme.example' }],
    storage: [{ spaceId: 'finance', folder: `out ${TURNS[0]}tuo` }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.events]).toEqual(['success', expect.anything()])
  const [folder] = readdirSync(reports.space.join('finance'))
  const [file] = readdirSync(reports.space.join('finance', folder!))
  const [mail] = reports.mailsTo('names@acme.example')
  const names = [folder, file, mail!.parsed.attachments[0]!.filename]
  expect(names).toEqual(['out tuo', `${CLEAN} vsc.csv`, `${CLEAN} vsc.csv`])
  for (const text of [readFileSync(reports.space.join('finance', folder!, file!), 'utf8'), attached(mail!)]) {
    expect(text.replace('\ufeff', '').split('\r\n')[0]).toBe(FORMULAS.map((label) => `'${label}`).join(','))
  }
}, 60_000)

test('a template: its name after the upload, in lists and at the download', async () => {
  const report = await reports.call<Named>('POST', '/v4/report', {
    project: 'Sales',
    name: 'Template',
    type: 'template',
    appId: SALES_APP,
    data: [{ key: 'revenue', type: 'value', expr: '=Sum(Sales)' }],
  })
  const url = `http://127.0.0.1:${reports.product.restPort}/v4/report/${report.id}/template`
  const body = await zipOf(smallDocument('<w:p><w:r><w:t>{{revenue}}</w:t></w:r></w:p>'))
  const uploaded = await fetch(url, {
    method: 'PUT',
    headers: { 'x-file-name': encodeURIComponent(`${NAME}.docx`) },
    body,
  })
  const text = await uploaded.text()
  expect([uploaded.status, text]).toEqual([uploaded.ok ? uploaded.status : 200, expect.not.stringMatching(TURNED)])
  const downloaded = await get(`/v4/report/${report.id}/template`)
  expect([downloaded.status, nameOf(downloaded)]).toEqual([200, `${CLEAN}.docx`])
  expect(await (await get(`/v4/report/${report.id}`)).text()).not.toMatch(TURNED)
})
