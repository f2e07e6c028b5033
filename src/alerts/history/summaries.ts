/** Counts of events over time, and of deliveries by state, reason and destination (`/v4/events/summary`, `/v4/deliveries/summary`). */
import { invalidQuery, type TimeBound } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { DeliveryState } from '../types.ts'
import {
  BUCKETS,
  type Bucket,
  DELIVERIES_SUMMARY,
  type DeliveriesSummary,
  EVENTS_SUMMARY,
  type EventsSummary,
} from './contract.ts'
import { deliveriesWhere } from './deliveries.ts'
import { eventsWhere } from './events.ts'
import { windowsOf } from './lists.ts'

const MOST_BUCKETS = 2000
const DAY_MS = 86_400_000

interface SummaryRoutesDeps {
  readonly db: Database
  readonly clock: Clock
  /** The destinations that record and do not alert. */
  readonly recording: () => readonly string[]
}

export function summaryRoutes({ db, clock, recording }: SummaryRoutesDeps): ApiRoute[] {
  return [
    route({
      ...EVENTS_SUMMARY,
      scope: 'event:read',
      summary: 'Count events over time',
      description: 'Of the last 24 hours unless `from` says otherwise, with the filters of the list.',
      examples: [
        { name: 'failures', query: { outcome: 'failed' }, status: 200, answer: { buckets: [], partial: false } },
      ],
      async handle({ query: { bucket = '1h', ...query } }, answer) {
        const times = timesOf(query, clock.now())
        const size = BUCKETS[bucket]
        if (((times.to ?? clock.now()) - times.from) / size > MOST_BUCKETS) {
          throw invalidQuery([{ path: 'bucket', message: `is too short: there would be more than ${MOST_BUCKETS}` }])
        }
        return answer(200, await countEvents(db, { ...query, ...times }, size, recording()))
      },
    }),
    route({
      ...DELIVERIES_SUMMARY,
      scope: 'event:read',
      summary: 'Count deliveries by state, reason and destination',
      description: 'Of the last 24 hours unless `from` says otherwise, with the filters of the list.',
      examples: [
        {
          name: 'dead-letters',
          query: { state: 'dead', from: '7d' },
          status: 200,
          answer: {
            states: { pending: 0, sending: 0, delivered: 0, suppressed: 0, dead: 0 },
            reasons: {},
            destinations: [],
            partial: false,
          },
        },
      ],
      async handle({ query }, answer) {
        return answer(200, await countDeliveries(db, { ...query, ...timesOf(query, clock.now()) }))
      },
    }),
  ]
}

function timesOf(
  { from, to }: { readonly from?: TimeBound | undefined; readonly to?: TimeBound | undefined },
  now: number,
) {
  return { from: from?.(now) ?? now - DAY_MS, to: to?.(now) ?? null }
}

/** Counts what lies in the windows of the search; `statement` gets the condition of one and its values. */
export async function countRows<Row>(
  db: Database,
  search: Parameters<typeof windowsOf>[1] & { readonly budgetMs?: number },
  statement: string,
  values: readonly (string | number)[],
  add: (row: Row) => void,
): Promise<{ readonly partial: boolean }> {
  let isComplete = true
  for await (const { before, from, isLast } of windowsOf(db, search)) {
    for (const row of db.all<Row>(statement, before, from, ...values)) add(row)
    isComplete = isLast
  }
  return { partial: !isComplete }
}

const COUNTED: readonly string[] = ['success', 'failed', 'aborted']

async function countEvents(
  db: Database,
  filter: Parameters<typeof eventsWhere>[0],
  size: number,
  recording: readonly string[],
): Promise<EventsSummary> {
  const where = eventsWhere(filter, recording)
  const buckets = new Map<number, Bucket>()
  const search = { table: 'event', before: null, times: { column: 'received_at', from: filter.from, to: filter.to } }
  const sql = `SELECT received_at / ${size} AS bucket, outcome, count(*) AS n FROM event
    WHERE seq < ? AND seq >= ? AND ${where.sql} GROUP BY 1, 2`
  const { partial } = await countRows<{ bucket: number; outcome: string; n: number }>(
    db,
    search,
    sql,
    where.values,
    ({ bucket, outcome, n }) => {
      const at = new Date(bucket * size).toISOString()
      const counts = buckets.get(bucket) ?? { at, success: 0, failed: 0, aborted: 0, other: 0 }
      const name = (COUNTED.includes(outcome) ? outcome : 'other') as 'success' | 'failed' | 'aborted' | 'other'
      buckets.set(bucket, { ...counts, [name]: counts[name] + n })
    },
  )
  return { buckets: [...buckets].sort(([one], [other]) => one - other).map(([, counts]) => counts), partial }
}

interface DeliveryGroup {
  readonly destination: string
  readonly state: DeliveryState
  readonly reason: keyof DeliveriesSummary['reasons'] | null
  readonly n: number
  readonly oldest: number
}

async function countDeliveries(
  db: Database,
  filter: Parameters<typeof deliveriesWhere>[0],
): Promise<DeliveriesSummary> {
  const where = deliveriesWhere(filter)
  const states = { pending: 0, sending: 0, delivered: 0, suppressed: 0, dead: 0 }
  const reasons: { -readonly [Reason in keyof DeliveriesSummary['reasons']]: number } = {}
  const destinations = new Map<string, DeliveriesSummary['destinations'][number]>()
  const search = { table: 'delivery', before: null, times: { column: 'created_at', from: filter.from, to: filter.to } }
  const event = filter.taskId ? 'JOIN event ON event.id = event_id' : ''
  const sql = `SELECT destination, delivery.state, delivery.reason, count(*) AS n, min(created_at) AS oldest
    FROM delivery ${event} WHERE delivery.seq < ? AND delivery.seq >= ? AND ${where.sql} GROUP BY 1, 2, 3`
  const { partial } = await countRows<DeliveryGroup>(
    db,
    search,
    sql,
    where.values,
    ({ destination: name, state, reason, n, oldest }) => {
      states[state] += n
      if (reason) reasons[reason] = (reasons[reason] ?? 0) + n
      const counts = destinations.get(name) ?? { name, delivered: 0, suppressed: 0, dead: 0, oldestDead: null }
      destinations.set(name, counts)
      if (state !== 'delivered' && state !== 'suppressed' && state !== 'dead') return
      const at = new Date(oldest).toISOString()
      const isOldest = state === 'dead' && (counts.oldestDead === null || at < counts.oldestDead)
      destinations.set(name, { ...counts, [state]: counts[state] + n, ...(isOldest && { oldestDead: at }) })
    },
  )
  const sorted = [...destinations.values()].sort((one, other) => one.name.localeCompare(other.name))
  return { states, reasons, destinations: sorted, partial }
}
