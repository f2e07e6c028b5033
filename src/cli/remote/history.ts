/** `footman history`: executions that have ended, one by one or summed up, as a table, JSON or CSV. */
import { visible } from '../../platform/visible.ts'
import type { CommandIo } from '../io.ts'
import { EXIT } from '../io.ts'
import type { Query, Remote } from './client.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { span, table } from './table.ts'

export interface HistoryOptions extends RemoteOptions {
  readonly from: string
  readonly summary?: boolean
  readonly format: 'table' | 'csv'
}

type Cell = string | number | null | undefined
type Row = Readonly<Record<string, unknown>>

interface Column {
  readonly head: string
  /** Name in CSV, after the member of the REST answer. */
  readonly name: string
  readonly csv: (row: Row) => Cell
  /** Left out = not in the table. */
  readonly text?: (row: Row) => Cell
}

/** All pages, printed as they come where the form allows it. */
export function runHistory(glob: string | undefined, options: HistoryOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const form = options.summary ? SUMMARY : EXECUTIONS
    const query = { taskName: glob, from: options.from }
    if (!options.json && options.format === 'csv') {
      io.out(csvLine(form.columns.map(({ name }) => name)))
      for await (const row of rows(remote, form, query)) io.out(csvLine(form.columns.map(({ csv }) => csv(row))))
      return EXIT.ok
    }
    const all: Row[] = []
    for await (const row of rows(remote, form, query)) all.push(row)
    io.out(options.json ? JSON.stringify({ [form.member]: all, nextCursor: null }, null, 2) : listed(form.columns, all))
    return EXIT.ok
  })
}

interface Form {
  readonly path: string
  readonly member: string
  readonly columns: readonly Column[]
}

async function* rows(remote: Remote, { path, member }: Form, query: Query): AsyncGenerator<Row> {
  let cursor: string | undefined
  do {
    const { text } = await remote.call({ path, query: { ...query, limit: 500, cursor }, what: 'history' })
    const page = JSON.parse(text) as Record<string, Row[]> & { readonly nextCursor: string | null }
    yield* page[member] ?? []
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
}

function listed(columns: readonly Column[], all: readonly Row[]): string {
  const shown = columns.flatMap(({ head, text }) => (text ? [{ head, text }] : []))
  return table([shown.map(({ head }) => head), ...all.map((row) => shown.map(({ text }) => String(text(row) ?? '')))])
}

function csvLine(cells: readonly Cell[]): string {
  return cells.map((cell) => quoted(visible(String(cell ?? '')))).join(',')
}

const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** A member as it is. */
function plain(name: string, head: string | null = null): Column {
  const csv = (row: Row) => row[name] as Cell
  return { name, head: head ?? '', csv, ...(head !== null && { text: csv }) }
}

function length(name: string, head: string): Column {
  return { ...plain(name, head), text: (row) => span((row[name] as number | null) ?? null) }
}

const EXECUTIONS: Form = {
  path: '/v4/history',
  member: 'executions',
  columns: [
    plain('executionId'),
    plain('taskId'),
    plain('taskName', 'TASK'),
    plain('taskType', 'TYPE'),
    plain('appId'),
    plain('appName'),
    plain('outcome', 'OUTCOME'),
    plain('statusText'),
    plain('node', 'NODE'),
    plain('actor'),
    plain('triggeredAt'),
    plain('startedAt'),
    plain('stoppedAt', 'ENDED'),
    length('queueMs', 'QUEUED'),
    length('runMs', 'RAN'),
    plain('attempts'),
    plain('error'),
  ],
}

function nested(member: 'runMs' | 'queueMs', part: string, head: string | null): Column {
  const value = (row: Row) => (row[member] as Readonly<Record<string, number>> | null)?.[part] ?? null
  const name = `${member.slice(0, -2)}${part.charAt(0).toUpperCase()}${part.slice(1)}Ms`
  return { name, head: head ?? '', csv: value, ...(head !== null && { text: (row) => span(value(row)) }) }
}

const SUMMARY: Form = {
  path: '/v4/history/summary',
  member: 'summary',
  columns: [
    { ...plain('name', 'TASK'), text: (row) => (row.name ?? row.key) as Cell },
    plain('key'),
    plain('runs', 'RUNS'),
    plain('success', 'OK'),
    plain('failed', 'FAILED'),
    plain('aborted', 'ABORTED'),
    plain('successRate'),
    nested('runMs', 'min', null),
    nested('runMs', 'p50', 'P50'),
    nested('runMs', 'p95', 'P95'),
    nested('runMs', 'max', 'MAX'),
    nested('runMs', 'total', 'TOTAL'),
    nested('queueMs', 'p50', null),
    nested('queueMs', 'p95', 'QUEUED P95'),
    nested('queueMs', 'max', null),
    plain('lastOutcome', 'LAST'),
    plain('lastStoppedAt', 'ENDED'),
  ],
}
