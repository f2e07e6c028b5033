/** The lines of the built-in text, each only where something is known. */
import type { EventDetails, MissingPart, TaskEvent } from '../../events/types.ts'
import { NEVER } from '../../qlik/qrs/types.ts'
import { formatUser } from '../template-context.ts'
import { durationParts, type TimeFormatter } from '../times.ts'
import type { RenderInput } from '../types.ts'
import { appNameOf } from './words.ts'

export interface Fact {
  readonly name: string
  readonly value: string
}

const PARTS: Readonly<Record<MissingPart, string>> = {
  task: 'task',
  app: 'app',
  owner: 'owner of the app',
  execution: 'result of the execution',
  scriptLog: 'script log',
}

type FactInput = Pick<RenderInput, 'event' | 'suppressed' | 'note' | 'kind'>
type Row = readonly [name: string, value: (input: FactInput, times: TimeFormatter) => string | null]

const ROWS: readonly Row[] = [
  ['App', ({ event }) => appNameOf(event)],
  ['Host', ({ event }) => event.host],
  ['Started by', ({ event }) => formatUser(event.user.replaceAll('\\\\', '\\'), 'slash')],
  ['Start', ({ event }, times) => startOf(event, times)],
  ['Try', ({ event: { retry } }) => (retry && retry.attempt > 0 ? `${retry.attempt} of ${retry.max}` : null)],
  ['No further try', ({ event }) => event.retry?.refused ?? null],
  ['Failures in a row', ({ event: { history } }) => positive(history?.consecutiveFailures)],
  ['Will not run', ({ note }) => (note?.chain?.downstream ?? []).map(({ name }) => name).join(', ')],
  ['Suppressed since the last message', ({ suppressed }) => positive(suppressed)],
  ['Missing', ({ event }) => event.missingParts.map((part) => missingPart(event, part)).join(', ')],
  ['Could not be delivered to', ({ note, kind }) => (kind === 'fallback' ? (note?.failedDestination ?? null) : null)],
]

export function factsOf(input: FactInput, times: TimeFormatter): readonly Fact[] {
  const [app, host, ...rest] = ROWS.map(([name, value]) => ({ name, value: oneLine(value(input, times) ?? '') }))
  const own = input.event.details ? detailFacts(input.event.details, times) : []
  return [app!, host!, ...own, ...rest].filter(({ value }) => value !== '')
}

function detailFacts(details: EventDetails, times: TimeFormatter): readonly Fact[] {
  if (details.kind === 'service') {
    const { displayName, serviceName, status, previousStatus, startType } = details
    const state = previousStatus ? `${status}, before that ${previousStatus}` : status
    return facts({ Service: `${displayName} (${serviceName})`, State: state, 'Start type': startType })
  }
  if (details.kind === 'license') {
    const { expiryDate, daysRemaining } = details
    return facts({ 'Valid until': expiryDate?.slice(0, 10) ?? '', 'Days left': daysRemaining?.toString() ?? '' })
  }
  if (details.kind === 'watchdog') {
    const { dueAt, elapsedMs, limitMs, usualMs } = details
    const due = dueAt === null ? '' : localTime(dueAt, times)
    return facts({ Due: due, Elapsed: clock(elapsedMs), Limit: clock(limitMs), 'Usual duration': clock(usualMs) })
  }
  return []
}

function facts(values: Readonly<Record<string, string>>): readonly Fact[] {
  return Object.entries(values).map(([name, value]) => ({ name, value: oneLine(value) }))
}

/** `script log (403 Forbidden)` */
function missingPart({ missingReasons }: TaskEvent, part: MissingPart): string {
  const reason = missingReasons?.[part]
  return reason ? `${PARTS[part]} (${reason})` : PARTS[part]
}

/** `2026-03-02 07:00:01 +01:00, duration 0:03:10` */
function startOf({ execution }: TaskEvent, times: TimeFormatter): string | null {
  const start = execution && execution.startTime !== NEVER ? Date.parse(execution.startTime) : Number.NaN
  if (!execution || Number.isNaN(start)) return null
  const duration = execution.stopTime === NEVER ? '' : clock(execution.duration)
  return `${localTime(start, times)}${duration && `, duration ${duration}`}`
}

/** `2026-03-02 07:00:01 +01:00` */
function localTime(ms: number, times: TimeFormatter): string {
  const local = times.sortable(ms)
  const minutes = Math.round((Date.parse(`${local.replace(' ', 'T')}Z`) - ms) / 60_000)
  const size = Math.abs(minutes)
  return `${local} ${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
}

/** `0:03:10` */
function clock(ms: number | null): string {
  const { hours, minutes, seconds } = durationParts(ms)
  return hours === '' ? '' : `${hours}:${two(Number(minutes))}:${two(Number(seconds))}`
}

const two = (value: number) => String(value).padStart(2, '0')
const positive = (value: number | undefined) => (value !== undefined && value > 0 ? String(value) : null)
const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()
