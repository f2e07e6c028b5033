/** One report task: a document for each of 50 customers in four formats, 200 files in a folder. */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { zipOf } from '../support/office.ts'
import { shape, slidePicture, slideTable, slideTemplate } from '../support/presentations.ts'
import { until } from '../support/wait.ts'
import { cpuSecondsOf, memoryOf } from './process.ts'
import type { Measurement } from './report.ts'
import { startTarget, type TargetSettings } from './target.ts'

const SALES_APP = 'a1000000-0000-4000-8000-000000000002'
const CUSTOMERS = Array.from({ length: 50 }, (_, index) => `Customer ${String(index + 1).padStart(4, '0')}`)
const FORMATS = ['pdf', 'xlsx', 'html', 'pptx'] as const
const DOCUMENTS = CUSTOMERS.length * FORMATS.length
const RUN_MS = 10 * 60_000
const SAMPLE_MS = 50
const MOST_MEMORY_MB = 512
/** About 16 when the selections of a document are set and read back once, and its data once. */
const MOST_CALLS = 17

const TABLE_COLUMNS = [
  { key: 'Date', label: 'Date', expr: 'OrderDate', kind: 'dimension' },
  { key: 'Product', label: 'Product', expr: 'Product', kind: 'dimension' },
  { key: 'Sales', label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
  { key: 'Cost', label: 'Cost', expr: '=Sum(Cost)', kind: 'measure' },
]
/** Few enough rows for a slide. */
const MONTH_COLUMNS = [{ key: 'Month', expr: 'Month', kind: 'dimension' }, ...TABLE_COLUMNS.slice(2)]
const CHART = { type: 'chart', chart: 'bar', dimension: 'Month', measures: ['=Sum(Sales)', '=Sum(Cost)'] }

interface Run {
  readonly state: string
  readonly outcome: string
  readonly durationMs: number
  readonly events: readonly unknown[]
}

export async function measureReports(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'reports')
  const files = join(directory, 'files')
  mkdirSync(files, { recursive: true })
  const { site } = settings
  const target = await startTarget({
    ...settings,
    directory,
    mute: true,
    sections: { configEngine: { host: '127.0.0.1', port: site.enginePort, headers: { static: [QLIK_USER] } } },
    additions: {
      reportTask: { enable: true, storageSpaces: [{ id: 'files', name: 'Files', directory: files }] },
    },
  })
  await using product = target.running
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const bytes = body instanceof Uint8Array
    const answer = await fetch(`http://127.0.0.1:${target.restPort}/v4/${path}`, {
      method,
      headers: bytes ? { 'content-type': PPTX, 'x-file-name': 'slides.pptx' } : { 'content-type': 'application/json' },
      body: bytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as T
  }

  const task = await define(call)
  const idle = memoryOf(product.pid)?.rss ?? null
  const [cpuBefore, callsBefore] = [cpuSecondsOf(product.pid), total(await site.engineCalls())]
  let peak = 0
  const watch = setInterval(() => {
    peak = Math.max(peak, memoryOf(product.pid)?.rss ?? 0)
  }, SAMPLE_MS)
  type Started = { readonly tasksStarted: readonly { readonly runId: string }[] }
  const { tasksStarted } = await call<Started>('POST', 'reporttask/start', { taskId: [task] })
  const runId = tasksStarted[0]?.runId
  const read = async () => (await fetch(`http://127.0.0.1:${target.restPort}/v4/reportrun/${runId}`)).json()
  const run = await until(
    async () => {
      const found = (await read()) as Run
      return found.state === 'finished' && found
    },
    { timeout: RUN_MS, what: 'the end of the run' },
  )
  clearInterval(watch)
  const cpu = cpuSecondsOf(product.pid)
  const calls = await site.engineCalls()
  const log = await (await fetch(`http://127.0.0.1:${target.restPort}/v4/reportrun/${runId}/log`)).text()
  await product.stop()
  const made = readdirSync(files).length
  if (run.outcome !== 'success' || made !== DOCUMENTS) {
    throw new Error(
      `the run ended with ${run.outcome} and ${made} of ${DOCUMENTS} files: ${JSON.stringify(run.events)}`,
    )
  }

  const seconds = run.durationMs / 1000
  const engineCalls = total(calls) - callsBefore
  const used = cpu === null || cpuBefore === null ? null : cpu - cpuBefore
  return [
    { name: `reports: ${DOCUMENTS} documents in one run`, value: seconds, unit: 's', note: FORMATS.join(', ') },
    { name: 'reports: documents', value: DOCUMENTS / seconds, unit: '1/s' },
    {
      name: 'reports: CPU of the process',
      value: used === null ? null : (used * 1000) / DOCUMENTS,
      unit: 'ms/document',
    },
    {
      name: 'reports: most resident memory',
      value: peak === 0 ? null : peak,
      unit: 'MB',
      atMost: MOST_MEMORY_MB,
      note: `${idle?.toFixed(0) ?? '-'} MB before, sampled every ${SAMPLE_MS} ms`,
    },
    {
      name: 'reports: calls to the engine',
      value: engineCalls / DOCUMENTS,
      unit: '1/document',
      atMost: MOST_CALLS,
      note: mostFrequent(calls),
    },
    ...formatRows(timesOf(log)),
  ]
}

const QLIK_USER = { name: 'X-Qlik-User', value: 'UserDirectory=Internal; UserId=sa_repository' }
const PPTX = 'application/vnd.openxmlformats-officedocument.presentationml.presentation'

type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>

/** Reports, filter and the task; the id of the task. */
async function define(call: Call): Promise<string> {
  const created = async (path: string, body: object) => (await call<{ id: string }>('POST', path, body)).id
  const blocks = await created('report', {
    name: 'Customer',
    appId: SALES_APP,
    blocks: [
      { key: 'figures', type: 'kpi', items: [{ label: 'Sales', expr: '=Sum(Sales)', compareExpr: '=Sum(Cost)' }] },
      { key: 'months', ...CHART },
      { key: 'orders', type: 'table', totals: true, columns: TABLE_COLUMNS.map(({ key: _, ...column }) => column) },
    ],
  })
  const slides = await created('report', {
    name: 'Customer slides',
    type: 'template',
    appId: SALES_APP,
    data: [
      { key: 'sales', type: 'value', expr: '=Sum(Sales)' },
      { key: 'months', ...CHART },
      { key: 'orders', type: 'table', columns: MONTH_COLUMNS },
    ],
  })
  const template = await slideTemplate({
    content:
      shape('Title', 0, '{{cycle.Customer}}: {{sales | #,##0}}') +
      slidePicture('{{months}}') +
      slideTable(2_000_000, ['{{#orders}}{{Month.text}}', '{{Sales | #,##0}}{{/orders}}']),
  })
  await call('PUT', `report/${slides}/template`, await zipOf(template))
  const filter = await created('reportfilter', {
    name: 'Fifty customers',
    clauses: [{ type: 'values', field: 'Customer', values: CUSTOMERS }],
  })
  return created('reporttask', {
    name: 'Customers',
    enabled: true,
    filterIds: [filter],
    storage: [{ spaceId: 'files' }],
    reports: FORMATS.map((format) => ({
      key: format,
      format,
      fileName: '{report}{cycle}',
      cycle: { fields: ['Customer'] },
      reportId: format === 'pptx' ? slides : blocks,
    })),
  })
}

const total = (calls: Readonly<Record<string, number>>): number =>
  Object.values(calls).reduce((sum, count) => sum + count, 0)

const mostFrequent = (calls: Readonly<Record<string, number>>): string =>
  Object.entries(calls)
    .toSorted(([, left], [, right]) => right - left)
    .slice(0, 5)
    .map(([method, count]) => `${method} ${count}`)
    .join(', ')

/** Milliseconds between the documents of each format, from the lines of the log. */
function timesOf(log: string): ReadonlyMap<string, readonly number[]> {
  const times = new Map<string, number[]>()
  const lines = [...log.matchAll(/^(\S+) .*\bdocument \S.* (\w+) \d+ bytes/gm)]
  // The first document of a format loads its libraries.
  for (const [index, [, time = '', format = '']] of lines.entries()) {
    const [, before = '', formatBefore] = lines[index - 1] ?? []
    if (formatBefore !== format) continue
    times.set(format, [...(times.get(format) ?? []), Date.parse(time) - Date.parse(before)])
  }
  return times
}

function formatRows(times: ReadonlyMap<string, readonly number[]>): Measurement[] {
  const mean = (list: readonly number[]) => list.reduce((sum, time) => sum + time, 0) / list.length
  return FORMATS.map((format) => {
    const list = times.get(format) ?? []
    const quarter = Math.floor(list.length / 4)
    const [first, last] = [mean(list.slice(0, quarter)), mean(list.slice(-quarter))]
    const note = `the last quarter took ${(last / first).toFixed(2)} x the time of the first`
    return { name: `reports: ${format}`, value: mean(list), unit: 'ms/document', note }
  })
}
