/** Counts of events over time, and of deliveries by state, reason and destination (`/v4/events/summary`, `/v4/deliveries/summary`). */
import { z } from 'zod'
import { invalidQuery, LIST_PARAMETERS, queryField } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { once } from '../../platform/once.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { DeliveryState } from '../types.ts'
import { DELIVERY_FILTERS, deliveriesWhere } from './deliveries.ts'
import { EVENT_FILTERS, eventsWhere } from './events.ts'
import { windowsOf } from './lists.ts'

const BUCKETS = { '5m': 300_000, '1h': 3_600_000, '1d': 86_400_000 } as const
const MOST_BUCKETS = 2000
const DAY_MS = 86_400_000

const count = once(() => z.int())
const PARTIAL = once(() =>
  z.boolean().describe('The search took too long and was ended: what is older is not counted.'),
)
const TIMES = { from: LIST_PARAMETERS.from, to: LIST_PARAMETERS.to }

const EVENTS_QUERY = once(() =>
  z.object({
    bucket: queryField
      .word(Object.keys(BUCKETS) as (keyof typeof BUCKETS)[])
      .describe('Default `1h`.')
      .optional(),
    ...EVENT_FILTERS,
    ...TIMES,
  }),
)

const BUCKET = once(() =>
  z.object({
    at: z.string().describe('Begin of the bucket, UTC.'),
    success: count(),
    failed: count(),
    aborted: count(),
    other: count(),
  }),
)
const EVENTS_SUMMARY = once(() =>
  z.object({
    buckets: z.array(BUCKET()).describe('Oldest first; without empty ones.'),
    partial: PARTIAL(),
  }),
)

const DELIVERIES_QUERY = once(() => z.object({ ...DELIVERY_FILTERS, ...TIMES }))
const DELIVERIES_SUMMARY = once(() =>
  z.object({
    states: z.object({ pending: count(), sending: count(), delivered: count(), suppressed: count(), dead: count() }),
    reasons: z.record(z.string(), count()),
    destinations: z.array(
      z.object({
        name: z.string(),
        delivered: count(),
        suppressed: count(),
        dead: count(),
        oldestDead: z.string().nullable().describe('When the oldest dead one was created.'),
      }),
    ),
    partial: PARTIAL(),
  }),
)

type Bucket = z.output<ReturnType<typeof BUCKET>>
type DeliveriesSummary = z.output<ReturnType<typeof DELIVERIES_SUMMARY>>

interface SummaryRoutesDeps {
  readonly db: Database
  readonly clock: Clock
  /** The destinations that record and do not alert. */
  readonly recording: () => readonly string[]
}

export function summaryRoutes({ db, clock, recording }: SummaryRoutesDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/events/summary',
      scope: 'event:read',
      summary: 'Count events over time',
      description: 'Of the last 24 hours unless `from` says otherwise, with the filters of the list.',
      query: EVENTS_QUERY,
      answers: () => ({ 200: EVENTS_SUMMARY() }),
      examples: [
        { name: 'failures', query: { outcome: 'failed' }, status: 200, answer: { buckets: [], partial: false } },
      ],
      async handle({ query: { bucket = '1h', ...query } }) {
        const times = timesOf(query, clock.now())
        const size = BUCKETS[bucket]
        if (((times.to ?? clock.now()) - times.from) / size > MOST_BUCKETS) {
          throw invalidQuery([{ path: 'bucket', message: `is too short: there would be more than ${MOST_BUCKETS}` }])
        }
        return jsonAnswer(200, await countEvents(db, { ...query, ...times }, size, recording()))
      },
    }),
    route({
      method: 'GET',
      path: '/v4/deliveries/summary',
      scope: 'event:read',
      summary: 'Count deliveries by state, reason and destination',
      description: 'Of the last 24 hours unless `from` says otherwise, with the filters of the list.',
      query: DELIVERIES_QUERY,
      answers: () => ({ 200: DELIVERIES_SUMMARY() }),
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
      async handle({ query }) {
        return jsonAnswer(200, await countDeliveries(db, { ...query, ...timesOf(query, clock.now()) }))
      },
    }),
  ]
}

function timesOf({ from, to }: Pick<z.output<ReturnType<typeof DELIVERIES_QUERY>>, 'from' | 'to'>, now: number) {
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
): Promise<z.output<ReturnType<typeof EVENTS_SUMMARY>>> {
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
      counts[name] += n
      buckets.set(bucket, counts)
    },
  )
  return { buckets: [...buckets].sort(([one], [other]) => one - other).map(([, counts]) => counts), partial }
}

interface DeliveryGroup {
  readonly destination: string
  readonly state: DeliveryState
  readonly reason: string | null
  readonly n: number
  readonly oldest: number
}

async function countDeliveries(
  db: Database,
  filter: Parameters<typeof deliveriesWhere>[0],
): Promise<DeliveriesSummary> {
  const where = deliveriesWhere(filter)
  const states = { pending: 0, sending: 0, delivered: 0, suppressed: 0, dead: 0 }
  const reasons: Record<string, number> = {}
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
      counts[state] += n
      if (state !== 'dead') return
      const at = new Date(oldest).toISOString()
      if (counts.oldestDead === null || at < counts.oldestDead) counts.oldestDead = at
    },
  )
  const sorted = [...destinations.values()].sort((one, other) => one.name.localeCompare(other.name))
  return { states, reasons, destinations: sorted, partial }
}
