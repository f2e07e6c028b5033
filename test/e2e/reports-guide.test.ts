/** Every call, definition and command of the guide to reports, run as it stands there, against the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { type Block, blocksOf, docPages, words } from '../support/docs.ts'
import { unzip, zipOf } from '../support/office.ts'
import { REGIONS, type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { paragraph, wordTemplate, wordText } from '../support/templates.ts'
import { until } from '../support/wait.ts'

const pages = docPages.filter((page) => /^docs\/reports(\.md$|\/)/.test(page))

let reports: ReportSite
/** Ids of the newest definition of each kind: `REPORT_ID`, `TASK_ID`, ... */
const ids = new Map<string, string>()

const ID_OF: Readonly<Record<string, string>> = {
  '/v4/report': 'REPORT_ID',
  '/v4/reportfilter': 'FILTER_ID',
  '/v4/reportcondition': 'CONDITION_ID',
  '/v4/recipient': 'RECIPIENT_ID',
  '/v4/recipientgroup': 'GROUP_ID',
  '/v4/reporttask': 'TASK_ID',
}

beforeAll(async () => {
  reports = await startReportSite({
    secrets: { weeklyZip: 'a password of many letters' },
    hub: { enable: true },
    allowedRecipientDomains: [],
  })
  const { id } = await reports.call('POST', '/v4/reporttask', { project: 'Sales', name: 'Another task' })
  ids.set('OTHER_TASK_ID', id)
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

const withIds = (text: string): string =>
  text.replace(/\{runId\}|\b[A-Z]+(?:_[A-Z]+)?_ID\b/g, (name) => {
    const id = ids.get(name === '{runId}' ? 'RUN_ID' : name)
    if (!id) throw new Error(`no ${name} yet`)
    return id
  })

/** Calls of a block: method, path, and the JSON that follows. */
const callsOf = ({ lines }: Block) =>
  lines
    .join('\n')
    .split(/^(?=(?:GET|POST|PUT|PATCH|DELETE) \/)/m)
    .flatMap((text) => {
      const [, method, path, body = ''] = /^(GET|POST|PUT|PATCH|DELETE) (\S+)\n?(.*)$/s.exec(text) ?? []
      return method && path ? [{ method, path, body: body.trim() }] : []
    })

async function request(method: string, path: string, body?: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${reports.product.restPort}${withIds(path)}`, {
    method,
    ...(body && { body: withIds(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await answer.text()
  expect([method, path, answer.ok, answer.ok ? '' : text]).toEqual([method, path, true, ''])
  return text
}

async function call({ method, path, body }: ReturnType<typeof callsOf>[number]): Promise<void> {
  if (path.endsWith('/resend')) {
    // Nothing has failed here, and the guide says what the answer is for.
    const answer = await reports.product.call(method, withIds(path), JSON.parse(body))
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, 'NOTHING_TO_RESEND'])
    return
  }
  const text = await request(method, path, body)
  const kind = ID_OF[path]
  if (method === 'POST' && kind) ids.set(kind, (JSON.parse(text) as { id: string }).id)
  if (path.endsWith('/start')) {
    const { tasksStarted } = JSON.parse(text) as { tasksStarted: { runId: string }[] }
    await noted(tasksStarted[0]!.runId)
  }
}

async function noted(runId: string): Promise<void> {
  ids.set('RUN_ID', runId)
  const { outcome } = await reports.ended(runId)
  expect(outcome).toBe('success')
}

async function command(line: string): Promise<void> {
  const { code, stdout, stderr } = await run(words(line.replace(/^footman /, '')))
  expect([line, code, code === 0 ? '' : `${stdout}\n${stderr}`]).toEqual([line, 0, ''])
  const started = /run ([0-9a-f-]{36})/.exec(stdout)?.[1]
  if (started) await noted(started)
}

const run = (args: readonly string[]) =>
  runToEnd(args, {
    cwd: reports.product.directory.path,
    env: { FOOTMAN_URL: `http://127.0.0.1:${reports.product.restPort}` },
    timeout: 60_000,
  })

/** A piece of a task becomes that part of it. */
async function definition(text: string): Promise<void> {
  if (text.startsWith('{')) writeFileSync(reports.product.directory.join('reports.json'), text)
  else await request('PATCH', '/v4/reporttask/TASK_ID', `{${text}}`)
}

async function carryOut(block: Block): Promise<void> {
  const text = block.lines.join('\n').trim()
  if (block.language === 'json') return definition(text)
  if (text.startsWith('name,email')) {
    const headers = { 'content-type': 'text/csv' }
    const url = `http://127.0.0.1:${reports.product.restPort}/v4/recipient/import`
    const answer = await fetch(url, { method: 'POST', body: text, headers })
    expect(await answer.json()).toMatchObject({ errors: [] })
    return
  }
  for (const line of block.lines) if (line.startsWith('footman ')) await command(line)
  for (const one of callsOf(block)) await call(one)
}

test('the guide to reports has examples of all kinds', () => {
  const blocks = pages.flatMap(blocksOf)
  expect(blocks.flatMap(callsOf).length).toBeGreaterThan(15)
  expect(blocks.filter(({ language }) => language === 'json').length).toBeGreaterThan(12)
})

// The start comes first: other pages go on from its task.
describe.each([...pages].sort((a, b) => a.length - b.length || a.localeCompare(b)))('%s', (page) => {
  const blocks = blocksOf(page).filter(({ language }) => language === 'text' || language === 'json')
  test.each(blocks.map((block) => [block.place, block] as const))('%s', (_, block) => carryOut(block), 60_000)
})

/** Tags of the page about templates. */
const TAGS = [
  '{{revenue}}',
  '{{revenue | #,##0}}',
  '{{revenue | 0.0%}}',
  '{{revenue | text}}',
  '{{revenue.text}}',
  '{{=Sum(Sales)}}',
  '{{#countries}}{{$index}} {{Name}} {{Sales | #,##0}} {{/countries}}',
  '{{^countries}}none{{/countries}}',
  '{{countries.$count}} {{countries.$total.Sales}}',
  '{{report.name}} {{task.name}} {{app.name}} {{app.lastReload}}',
  '{{run.date | yyyy-MM-dd}} {{filter}} {{{{',
  '{{@region pageBreak}}',
  '{{region}} {{revenue}}',
  '{{/@region}}',
]

test('the tags that the page about templates shows are those of a template', async () => {
  const [first] = blocksOf('docs/reports/templates.md').flatMap(callsOf)
  const { id } = await reports.call('POST', '/v4/report', { ...JSON.parse(first!.body), name: 'All tags' })
  const file = await zipOf(wordTemplate(TAGS.map((tag) => paragraph(tag)).join('')))
  const answer = await fetch(`http://127.0.0.1:${reports.product.restPort}/v4/report/${id}/template`, {
    method: 'PUT',
    headers: { 'x-file-name': 'tags.docx' },
    body: file as Uint8Array<ArrayBuffer>,
  })
  expect([answer.status, ((await answer.json()) as { problems: unknown }).problems]).toEqual([200, []])
  const rendered = await reports.product.call('POST', `/v4/report/${id}/render?format=docx`)
  const text = wordText(
    (await unzip(new Uint8Array(await rendered.arrayBuffer()))).get('word/document.xml')!.text,
  ).join('\n')
  for (const region of REGIONS) expect(text).toContain(region)
  // What is left is the brace that the page promises for four.
  expect(text.match(/\{\{/g)).toHaveLength(1)
})

test('a run in test mode says in its log where the mail went', async () => {
  const report = await reports.salesReport('For the log')
  const task = await reports.mailTask('Log of a test', report.id)
  const { id } = await reports.run(task.id, { test: true, testAddress: 'me@acme.example' })
  const log = await (await reports.product.call('GET', `/v4/reportrun/${id}/log`)).text()
  expect(log).toContain('mail sent to=me@acme.example instead of log-of-a-test@acme.example')
  await until(() => reports.mailsTo('me@acme.example').length > 0)
})

/** Members of a task, and what `footman reports start --wait` then prints. */
const MISTAKES: readonly (readonly [string, object, object, string])[] = [
  [
    'the id of the app is wrong',
    { appId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77' },
    {},
    'error APP_NOT_FOUND, report pack: Qlik Sense has no app with the id ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77 of the report',
  ],
  [
    'an expression of a block is wrong',
    { blocks: [{ key: 'figures', type: 'kpi', items: [{ label: 'R', expr: '=Sum(Sales' }] }] },
    {},
    'warning BLOCK_ERROR, report pack, block figures: =Sum(Sales: Error: ")" expected',
  ],
  [
    'an expression for addresses is wrong',
    {},
    { cycle: { fields: ['Region'], emailTo: '=Concat(DISTINCT Mail' } },
    'error DOCUMENT_FAILED, report pack: pack/Nordic: cycle.emailTo: =Concat(DISTINCT Mail: Error: ")" expected',
  ],
  [
    'a field of a cycle is wrong',
    {},
    { cycle: { fields: ['Regio'] } },
    'error FILTER_FIELD_UNKNOWN, report pack: the app "Sales Dashboard" has no field "Regio"',
  ],
]

test.each(MISTAKES)('a run says what is wrong when %s', async (name, ofReport, ofUse, expected) => {
  const report = await reports.salesReport(name, ofReport)
  const use = { key: 'pack', reportId: report.id, format: 'html', ...ofUse }
  await reports.mailTask(name, report.id, {
    reports: [use],
    recipients: [{ type: 'address', address: 'a@acme.example' }],
  })
  const { stdout } = await run(['reports', 'start', name, '--wait'])
  expect(stdout).toContain(expected)
})

test.each([
  [
    { storage: [{ spaceId: 'share' }] },
    'There is no storage space share in Butler.footman.reportTask.storageSpaces, there is finance',
  ],
  [
    { reports: [{ key: 'a', reportId: 'REPORT_ID', format: 'pdf', protect: { pdfPassword: 'secretRef:weekly' } }] },
    'There is no secret weekly in Butler.footman.reportTask.secrets, there is weeklyZip',
  ],
  [
    { recipients: [{ type: 'recipient', recipientId: '11111111-1111-4111-8111-111111111111' }] },
    'recipients.0.recipientId: There is no recipient 11111111-1111-4111-8111-111111111111',
  ],
  [{ triggers: [{ type: 'schedule', cron: '0 7 * * 8' }] }, 'triggers.0.cron: weekday 8 is out of range'],
])('a definition is refused with what is wrong: %j', async (members, expected) => {
  ids.set('REPORT_ID', (await reports.salesReport(expected)).id)
  const body = withIds(JSON.stringify({ project: 'Sales', name: 'Refused', ...members }))
  const answer = await reports.product.call('POST', '/v4/reporttask', JSON.parse(body))
  expect([answer.status, ((await answer.json()) as { details: string }).details]).toEqual([
    400,
    expect.stringContaining(expected),
  ])
})
