/** Reports of the site and the product, as lines of the live view and as counts. */

import type { SiteEvents } from '../../../simulator/types.ts'
import type { DeliveryChange } from '../../alerts/outbox/outbox.ts'
import type { DeliveryState } from '../../alerts/types.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { RunRecord } from '../../reports/runs/ledger.ts'

/** Meaning of a piece of text, which selects its colour. */
export type Tone = 'plain' | 'quiet' | 'title' | 'note' | 'good' | 'warn' | 'bad'

export interface Happening {
  /** `sense`, `footman`, or the name of a destination. */
  readonly where: string
  readonly what: string
  readonly tone: Tone
  readonly task: string
  readonly detail: string
  /** At the end of the line: a duration or a reason. */
  readonly note: string
}

/** Execution states of Qlik Sense that are worth a line, by number: the one of a run under way, the one of its end. */
const UNDER_WAY: Readonly<Record<number, readonly [what: string, tone: Tone]>> = {
  2: ['started', 'plain'],
  3: ['queued', 'quiet'],
  5: ['stopping', 'plain'],
  10: ['retrying', 'warn'],
}
const ENDS: Readonly<Record<number, readonly [what: TaskEnd, tone: Tone]>> = {
  6: ['stopped', 'warn'],
  7: ['succeeded', 'plain'],
  8: ['failed', 'bad'],
  11: ['failed', 'bad'],
}

const DELIVERIES: Partial<Record<DeliveryState, readonly [what: string, tone: Tone]>> = {
  pending: ['retrying', 'warn'],
  delivered: ['delivered', 'good'],
  suppressed: ['suppressed', 'warn'],
  dead: ['given up', 'bad'],
}

/** Null for states in between. */
export function taskHappening({ task, execution, user, final }: SiteEvents['state']): Happening | null {
  const shown = final ? ENDS[execution.status] : UNDER_WAY[execution.status]
  if (!shown) return null
  const [what, tone] = shown
  const place = { where: 'sense', what, tone, task: task.name }
  if (final) return { ...place, detail: '', note: `after ${seconds(execution.duration)}` }
  return { ...place, detail: what === 'started' ? `by ${userId(user)}` : '', note: '' }
}

const REPORT_TONES: Partial<Record<string, Tone>> = { success: 'good', warning: 'warn', error: 'bad' }

/** A run of a report task has ended. */
export function reportHappening({ taskName, outcome, counts }: RunRecord): Happening {
  const what = outcome ?? ''
  const detail = [
    plural(counts?.mailsSent ?? 0, 'mail'),
    plural(counts?.filesWritten ?? 0, 'file'),
    plural(counts?.hubItems ?? 0, 'hub item'),
  ]
    .filter((part) => !part.startsWith('0'))
    .join(', ')
  return { where: 'report', what, tone: REPORT_TONES[what] ?? 'plain', task: taskName, detail, note: '' }
}

/** How the run ended; null while it goes on. */
export function taskEnd({ execution, final }: SiteEvents['state']): TaskEnd | null {
  return final ? (ENDS[execution.status]?.[0] ?? null) : null
}

export function eventHappening(event: TaskEvent): Happening {
  const outcome = event.outcome === 'success' ? 'succeeded' : event.outcome
  const detail = `${event.type} ${outcome}`
  return { where: 'footman', what: 'received', tone: 'note', task: event.taskName, detail, note: '' }
}

/** Null for states in between. */
export function deliveryHappening(change: DeliveryChange): Happening | null {
  const shown = DELIVERIES[change.state]
  if (!shown) return null
  const [what, tone] = shown
  const delivered = change.state === 'delivered' && change.latencyMs !== null
  return {
    where: change.destination,
    what,
    tone,
    task: change.event?.taskName ?? '',
    detail: change.target,
    note: delivered
      ? milliseconds(change.latencyMs)
      : (change.reason ?? change.detail).toLowerCase().replaceAll('_', ' '),
  }
}

/** `INTERNAL\\sa_scheduler` -> `sa_scheduler`. */
const userId = (user: string) => user.slice(user.lastIndexOf('\\') + 1)

/** `1,234 ms`. */
export function milliseconds(ms: number | null): string {
  return ms === null ? '-' : `${Math.round(ms).toLocaleString('en-US')} ms`
}

/** `0.8 s`. */
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

type TaskEnd = 'succeeded' | 'failed' | 'stopped'

export interface Totals {
  readonly tasks: number
  readonly ends: Readonly<Record<TaskEnd, number>>
  readonly events: number
  /** Delivered messages by destination, in the order of the first delivery. */
  readonly delivered: ReadonlyMap<string, number>
  readonly suppressed: number
  readonly dead: number
  /** From the arrival of the event to the delivery, milliseconds; null before the first delivery. */
  readonly medianMs: number | null
}

export interface Tally {
  task(end: TaskEnd): void
  event(): void
  delivery(change: { destination: string; state: DeliveryState; latencyMs: number | null }): void
  totals(): Totals
}

/** The median is that of so many newest deliveries. */
const LATENCIES = 1000

export function createTally(): Tally {
  const ends: Record<TaskEnd, number> = { succeeded: 0, failed: 0, stopped: 0 }
  const delivered = new Map<string, number>()
  const latencies: number[] = []
  let events = 0
  let suppressed = 0
  let dead = 0

  return {
    task(end) {
      ends[end] += 1
    },
    event() {
      events += 1
    },
    delivery({ destination, state, latencyMs }) {
      if (state === 'suppressed') suppressed += 1
      if (state === 'dead') dead += 1
      if (state !== 'delivered') return
      delivered.set(destination, (delivered.get(destination) ?? 0) + 1)
      if (latencyMs === null) return
      latencies.push(latencyMs)
      if (latencies.length > LATENCIES) latencies.shift()
    },
    totals: () => ({
      tasks: ends.succeeded + ends.failed + ends.stopped,
      ends: { ...ends },
      events,
      delivered: new Map(delivered),
      suppressed,
      dead,
      medianMs: median(latencies),
    }),
  }
}

/** The lower middle of an even number of values; null of none. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null
}

/** `1 file`, `6 mails`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
