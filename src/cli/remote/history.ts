/** `footman history`: executions that have ended, one by one or summed up, as a listing, JSON or CSV. */

import type { CallOf } from '../../http/endpoint/contract.ts'
import { withoutFormula } from '../../platform/csv.ts'
import { visible } from '../../platform/visible.ts'
import { HISTORY, HISTORY_SUMMARY, type HistoryItem, type SummaryGroup } from '../../tasks/executions/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type Column, formOf, listing, span } from '../table.ts'
import { pages, type Remote, withRemote } from './client.ts'
import type { HISTORY_COMMAND } from './commands.ts'

type HistoryOptions = OptionsOf<typeof HISTORY_COMMAND>

type Cell = string | number | null | undefined

interface Form<Row> {
  readonly member: string
  readonly rows: (remote: Remote, query: NonNullable<CallOf<typeof HISTORY>['query']>) => AsyncIterable<Row>
  /** Columns of CSV: their names, and what is in them. */
  readonly csv: readonly (readonly [name: string, value: (row: Row) => Cell])[]
  readonly columns: readonly Column<Row>[]
}

/** All pages, printed as they come where the form allows it. */
export function runHistory(glob: string | undefined, options: HistoryOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, (remote) =>
    options.summary ? print(SUMMARY, remote, glob, options, io) : print(EXECUTIONS, remote, glob, options, io),
  )
}

async function print<Row>(
  { member, rows: rowsOf, csv, columns }: Form<Row>,
  remote: Remote,
  glob: string | undefined,
  options: HistoryOptions,
  io: CommandIo,
): Promise<number> {
  const query = {
    taskName: glob,
    outcome: options.outcome,
    from: await remote.pointInTime(options.from),
    to: await remote.pointInTime(options.to),
  }
  const rows = rowsOf(remote, query)
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
}

function csvLine(cells: readonly Cell[]): string {
  return cells
    .map((cell) => quoted(typeof cell === 'string' ? visible(withoutFormula(cell)) : String(cell ?? '')))
    .join(',')
}

const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** Members that are a text or a number. */
type Plain<Row> = { [Name in keyof Row]: Row[Name] extends Cell ? Name : never }[keyof Row] & string

/** A member of the answer under its own name. */
const member = <Row>(name: Plain<Row>) => [name, (row: Row) => row[name] as Cell] as const

/** A column with a member of the answer. */
const shown = <Row>(head: string, name: Plain<Row>, more: Partial<Column<Row>> = {}): Column<Row> => ({
  head,
  cell: (row) => String(row[name] ?? ''),
  ...more,
})

const lasting = <Row>(
  head: string,
  length: (row: Row) => number | null | undefined,
  more: Partial<Column<Row>> = {},
): Column<Row> => ({
  head,
  cell: (row) => span(length(row) ?? null),
  ...more,
})

const EXECUTIONS: Form<HistoryItem> = {
  member: 'executions',
  rows: (remote, query) => pages(remote, HISTORY, 'executions', { query, what: 'history' }),
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
    lasting('QUEUED', (row) => row.queueMs),
    lasting('RAN', (row) => row.runMs),
    shown('APP', 'appName', { wide: true }),
    shown('STARTED BY', 'actor', { wide: true }),
    shown('ERROR', 'error', { wide: true }),
    shown('ID', 'executionId', { form: 'id' }),
  ],
}

const SUMMARY: Form<SummaryGroup> = {
  member: 'summary',
  rows: (remote, query) => pages(remote, HISTORY_SUMMARY, 'summary', { query, what: 'history' }),
  csv: [
    member('name'),
    member('key'),
    member('runs'),
    member('success'),
    member('failed'),
    member('aborted'),
    member('successRate'),
    ['runMinMs', ({ runMs }) => runMs?.min],
    ['runP50Ms', ({ runMs }) => runMs?.p50],
    ['runP95Ms', ({ runMs }) => runMs?.p95],
    ['runMaxMs', ({ runMs }) => runMs?.max],
    ['runTotalMs', ({ runMs }) => runMs?.total],
    ['queueP50Ms', ({ queueMs }) => queueMs?.p50],
    ['queueP95Ms', ({ queueMs }) => queueMs?.p95],
    ['queueMaxMs', ({ queueMs }) => queueMs?.max],
    member('lastOutcome'),
    member('lastStoppedAt'),
  ],
  columns: [
    { head: 'TASK', cell: (row) => String(row.name ?? row.key), least: 20 },
    shown('RUNS', 'runs'),
    shown('OK', 'success'),
    shown('FAILED', 'failed'),
    shown('ABORTED', 'aborted'),
    lasting('MEDIAN', (row) => row.runMs?.p50),
    lasting('95 %', (row) => row.runMs?.p95),
    lasting('MAX', (row) => row.runMs?.max),
    lasting('TOTAL', (row) => row.runMs?.total, { wide: true }),
    lasting('QUEUED 95 %', (row) => row.queueMs?.p95, { wide: true }),
    shown('LAST', 'lastOutcome'),
    shown('ENDED', 'lastStoppedAt', { wide: true, form: 'time' }),
  ],
}
