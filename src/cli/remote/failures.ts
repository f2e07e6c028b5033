/** `footman failures`: executions that failed or were aborted, the alerts about them, and whether the task has recovered. */
import { DELIVERIES, type Delivery, EVENTS, type EventItem } from '../../alerts/history/contract.ts'
import type { CallOf } from '../../http/endpoint/contract.ts'
import { HISTORY, type HistoryItem } from '../../tasks/executions/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type Column, formOf, listing, span } from '../table.ts'
import { zonedTimeText } from '../time.ts'
import { CommandFailure, OLD, pages, type Remote, withRemote } from './client.ts'
import type { FAILURES } from './commands.ts'

interface Failure extends HistoryItem {
  readonly alerts: readonly Omit<Delivery, 'eventId'>[]
  /** End of the first successful execution afterwards; null without one. */
  readonly recoveredAt: string | null
}

const FAILURE_OUTCOMES = ['failed', 'aborted'] as const

/** Exit code 0, also when there are failures. `taskName` is a glob. */
export function runFailures(
  taskName: string | undefined,
  options: OptionsOf<typeof FAILURES>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { json } = options
    const from = await remote.pointInTime(options.from ?? 'yesterday 18:00')
    const to = await remote.pointInTime(options.to)
    const form = await formOf(remote, options, io)
    const { outcome = FAILURE_OUTCOMES } = options
    const executions = await history(remote, { taskName, outcome, from, to })
    const [alerts, successes] = await Promise.all([alertsOf(remote, executions), successesOf(remote, executions)])
    const failures = executions.map((one): Failure => {
      const recovered = successes.get(one.taskId)?.findLast((stoppedAt) => stoppedAt > one.stoppedAt)
      const sent = alerts.get(one.executionId ?? '') ?? []
      return { ...one, alerts: sent.map(({ eventId: _, ...alert }) => alert), recoveredAt: recovered ?? null }
    })
    const period = `since ${zonedTimeText(from, form.times)}${to === undefined ? '' : ` until ${zonedTimeText(to, form.times)}`}`
    if (json) io.out(JSON.stringify({ from, to: to ?? null, failures }, null, 2))
    else if (failures.length === 0) io.out(`No failures ${period}.`)
    else io.out(listing(COLUMNS, failures, form))
    return EXIT.ok
  })
}

const COLUMNS: readonly Column<Failure>[] = [
  { head: 'ENDED', cell: ({ stoppedAt }) => stoppedAt, form: 'time' },
  { head: 'TASK', cell: ({ taskName }) => taskName, least: 14 },
  { head: 'OUTCOME', cell: ({ outcome }) => outcome },
  { head: 'ERROR', cell: ({ error }) => error ?? '-', least: 12 },
  { head: 'ALERTED', cell: ({ alerts }) => alertsText(alerts), least: 10 },
  { head: 'RECOVERED', cell: recoveryText },
  { head: 'RECOVERED AT', cell: ({ recoveredAt }) => recoveredAt ?? '-', form: 'time', wide: true },
  { head: 'TYPE', cell: ({ taskType }) => taskType, wide: true },
  { head: 'APP', cell: ({ appName }) => appName ?? '-', wide: true },
  { head: 'NODE', cell: ({ node }) => node ?? '-', wide: true },
  { head: 'ID', cell: ({ executionId }) => executionId ?? '-', form: 'id' },
]

/** Delivered ones first; equal ones once, with their number: `email x3, dev-slack (RATE_LIMITED)`. */
function alertsText(alerts: Failure['alerts']): string {
  const order = (text: string) => (text.endsWith(')') ? 1 : 0)
  const texts = [...Map.groupBy(alerts.map(alertText), (text) => text)].sort(([a], [b]) => order(a) - order(b))
  return texts.map(([text, same]) => (same.length > 1 ? `${text} x${same.length}` : text)).join(', ') || 'no'
}

/** `ops-mail`; with the state, or the reason for it, when it was not delivered. */
const alertText = ({ destination, state, reason }: Failure['alerts'][number]): string =>
  state === 'delivered' ? destination : `${destination} (${reason ?? state})`

function recoveryText({ stoppedAt, recoveredAt }: Failure): string {
  return recoveredAt === null ? 'no' : `in ${span(Date.parse(recoveredAt) - Date.parse(stoppedAt))}`
}

/** Deliveries by execution. An execution may have several events, and an event none. */
async function alertsOf(
  remote: Remote,
  executions: readonly HistoryItem[],
): Promise<ReadonlyMap<string, readonly Delivery[]>> {
  const ids = executions.flatMap(({ executionId }) => executionId ?? [])
  const events = await byParts(ids, (executionId) =>
    Array.fromAsync(pages(remote, EVENTS, 'events', { query: { executionId }, ...ASKED })),
  )
  const executionOf = new Map(events.map(({ id, executionId }) => [id, executionId ?? '']))
  const alerts = await byParts([...executionOf.keys()], (eventId) =>
    Array.fromAsync(pages(remote, DELIVERIES, 'deliveries', { query: { eventId }, ...ASKED })),
  )
  return Map.groupBy(alerts, ({ eventId }) => executionOf.get(eventId) ?? '')
}

/** Ends of successful executions by task, newest first. */
async function successesOf(
  remote: Remote,
  failures: readonly HistoryItem[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const from = failures.map(({ stoppedAt }) => stoppedAt).sort()[0]
  const tasks = [...new Set(failures.map(({ taskId }) => taskId))]
  const successes = await byParts(tasks, (taskId) => history(remote, { outcome: 'success', taskId, from }))
  const byTask = Map.groupBy(successes, ({ taskId }) => taskId)
  return new Map([...byTask].map(([id, ended]) => [id, ended.map(({ stoppedAt }) => stoppedAt)]))
}

/** Ids of one call, so that its address stays short enough for proxies. */
const IDS_OF_A_CALL = 40

async function byParts<T>(
  ids: readonly string[],
  ask: (some: readonly string[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const found: T[] = []
  for (let at = 0; at < ids.length; at += IDS_OF_A_CALL) found.push(...(await ask(ids.slice(at, at + IDS_OF_A_CALL))))
  return found
}

const ASKED = { what: 'failures', switchedOff: OLD }

const history = (remote: Remote, query: NonNullable<CallOf<typeof HISTORY>['query']>) =>
  Array.fromAsync(pages(remote, HISTORY, 'executions', { query, ...ASKED }))

/** `endedAt`: end of the task in Qlik Sense; only for events of the reconciler. */
export type EndedEvent = EventItem & { readonly endedAt?: string | null }

/** An execution that the reconciler finds may have ended this long before. */
const OLDEST_MS = 14 * 86_400_000

/**
 * Adds the end of the execution to events of the reconciler, which are received when it is discovered. Without the right
 * to read the history the events stay as they are.
 */
export async function withTaskEnds(remote: Remote, rows: readonly EventItem[]): Promise<readonly EndedEvent[]> {
  const found = rows.filter(({ source, executionId }) => source === 'reconciler' && executionId)
  if (found.length === 0) return rows
  const first = Math.min(...found.map(({ receivedAt }) => Date.parse(receivedAt)))
  const from = new Date(first - OLDEST_MS).toISOString()
  const tasks = [...new Set(found.flatMap(({ taskId }) => taskId ?? []))]
  const executions = await byParts(tasks, (taskId) => history(remote, { taskId, from })).catch((error: unknown) => {
    if (error instanceof CommandFailure) return []
    throw error
  })
  const ends = new Map(executions.map(({ executionId, stoppedAt }) => [executionId, stoppedAt]))
  return rows.map((row) => (found.includes(row) ? { ...row, endedAt: ends.get(row.executionId ?? '') ?? null } : row))
}
