/** `footman history`: executions that have ended, one by one or summed up, as a listing, JSON or CSV. */
import { withoutFormula } from '../../platform/csv.ts'
import { visible } from '../../platform/visible.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type Column, formOf, listing, span } from '../table.ts'
import { pages, type RemoteOptions, withRemote } from './client.ts'

interface HistoryOptions extends RemoteOptions {
  readonly from: string
  readonly to?: string
  readonly outcome?: readonly string[]
  readonly summary?: boolean
  readonly format: 'table' | 'csv'
  readonly wide?: boolean
  readonly utc?: boolean
}

type Cell = string | number | null | undefined
type Row = Readonly<Record<string, unknown>>

interface Form {
  readonly path: string
  readonly member: string
  /** Columns of CSV: their names, and what is in them. */
  readonly csv: readonly (readonly [name: string, value: (row: Row) => Cell])[]
  readonly columns: readonly Column<Row>[]
}

/** All pages, printed as they come where the form allows it. */
export function runHistory(glob: string | undefined, options: HistoryOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { path, member, csv, columns } = options.summary ? SUMMARY : EXECUTIONS
    const query = {
      taskName: glob,
      outcome: options.outcome,
      from: await remote.pointInTime(options.from),
      to: await remote.pointInTime(options.to),
    }
    const rows = pages<Row>(remote, { path, member, query, what: 'history' })
    if (!options.json && options.format === 'csv') {
      io.out(csvLine(csv.map(([name]) => name)))
      for await (const row of rows) io.out(csvLine(csv.map(([, value]) => value(row))))
      return EXIT.ok
    }
    const all: Row[] = []
    for await (const row of rows) all.push(row)
    if (options.json) io.out(JSON.stringify({ [member]: all, nextCursor: null }, null, 2))
    else if (all.length === 0) io.out('No executions.')
    else io.out(listing(columns, all, await formOf(remote, options, io)))
    return EXIT.ok
  })
}

function csvLine(cells: readonly Cell[]): string {
  return cells
    .map((cell) => quoted(typeof cell === 'string' ? visible(withoutFormula(cell)) : String(cell ?? '')))
    .join(',')
}

const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** A member of the answer under its own name. */
const member = (name: string) => [name, (row: Row) => row[name] as Cell] as const

/** `p50` of `runMs` is `runP50Ms`. */
const part = (of: 'runMs' | 'queueMs', name: string) =>
  [`${of.slice(0, -2)}${name.charAt(0).toUpperCase()}${name.slice(1)}Ms`, (row: Row) => partOf(row, of, name)] as const

function partOf(row: Row, of: 'runMs' | 'queueMs', name: string): number | null {
  return (row[of] as Readonly<Record<string, number>> | null)?.[name] ?? null
}

/** A column with a member of the answer. */
const shown = (head: string, name: string, more: Partial<Column<Row>> = {}): Column<Row> => ({
  head,
  cell: (row) => String(row[name] ?? ''),
  ...more,
})

const lasting = (head: string, length: (row: Row) => number | null, more: Partial<Column<Row>> = {}): Column<Row> => ({
  head,
  cell: (row) => span(length(row)),
  ...more,
})

const EXECUTIONS: Form = {
  path: '/v4/history',
  member: 'executions',
  csv: [
    member('executionId'),
    member('taskId'),
    member('taskName'),
    member('taskType'),
    member('appId'),
    member('appName'),
    member('outcome'),
    member('statusText'),
    member('node'),
    member('actor'),
    member('triggeredAt'),
    member('startedAt'),
    member('stoppedAt'),
    member('queueMs'),
    member('runMs'),
    member('attempts'),
    member('error'),
  ],
  columns: [
    shown('TASK', 'taskName', { least: 16 }),
    shown('TYPE', 'taskType', { least: 8 }),
    shown('OUTCOME', 'outcome'),
    shown('NODE', 'node', { least: 8 }),
    shown('ENDED', 'stoppedAt', { form: 'time' }),
    lasting('QUEUED', (row) => row.queueMs as number | null),
    lasting('RAN', (row) => row.runMs as number | null),
    shown('APP', 'appName', { wide: true }),
    shown('STARTED BY', 'actor', { wide: true }),
    shown('ERROR', 'error', { wide: true }),
    shown('ID', 'executionId', { form: 'id' }),
  ],
}

const SUMMARY: Form = {
  path: '/v4/history/summary',
  member: 'summary',
  csv: [
    member('name'),
    member('key'),
    member('runs'),
    member('success'),
    member('failed'),
    member('aborted'),
    member('successRate'),
    part('runMs', 'min'),
    part('runMs', 'p50'),
    part('runMs', 'p95'),
    part('runMs', 'max'),
    part('runMs', 'total'),
    part('queueMs', 'p50'),
    part('queueMs', 'p95'),
    part('queueMs', 'max'),
    member('lastOutcome'),
    member('lastStoppedAt'),
  ],
  columns: [
    { head: 'TASK', cell: (row) => String(row.name ?? row.key), least: 20 },
    shown('RUNS', 'runs'),
    shown('OK', 'success'),
    shown('FAILED', 'failed'),
    shown('ABORTED', 'aborted'),
    lasting('MEDIAN', (row) => partOf(row, 'runMs', 'p50')),
    lasting('95 %', (row) => partOf(row, 'runMs', 'p95')),
    lasting('MAX', (row) => partOf(row, 'runMs', 'max')),
    lasting('TOTAL', (row) => partOf(row, 'runMs', 'total'), { wide: true }),
    lasting('QUEUED 95 %', (row) => partOf(row, 'queueMs', 'p95'), { wide: true }),
    shown('LAST', 'lastOutcome'),
    shown('ENDED', 'lastStoppedAt', { wide: true, form: 'time' }),
  ],
}
