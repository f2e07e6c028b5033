/** One destination with its settings, its routes and its last day (`/v4/destinations/{name}`). */
import { z } from 'zod'
import { maskConfig } from '../../config/mask.ts'
import { NO_QUERY } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { DestinationHealth } from '../outbox/destination-health.ts'
import type { ListedRule } from '../rules/explain.ts'
import { DESTINATION, destinationNow } from '../rules/http.ts'
import type { Destination } from '../types.ts'
import { countRows } from './summaries.ts'

interface DestinationRoutesDeps {
  readonly db: Database
  readonly clock: Clock
  readonly destinations: ReadonlyMap<string, Destination>
  readonly listed: readonly ListedRule[]
  readonly health: Pick<DestinationHealth, 'state'>
  /** When a peer that cannot be reached is tried again, milliseconds since 1970; null = none waits for that. */
  readonly nextProbeAt: (destination: string) => number | null
  /** `Butler.footman.destinations`. */
  readonly settings: () => Readonly<Record<string, unknown>>
}

const HOUR_MS = 3_600_000
const HOURS = 24

const text = once(() => z.string().nullable())
const HOUR = once(() => z.object({ at: z.string(), delivered: z.int(), suppressed: z.int(), dead: z.int() }))
const ONE = once(() =>
  DESTINATION().extend({
    downSince: text().describe('Null while it is up, and after a start until something was sent.'),
    nextProbeAt: text().describe('When a destination that cannot be reached is tried again.'),
    routes: z.array(z.string()).describe('Names of the alert rules that go there and are on.'),
    settings: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('As in `Butler.footman.destinations`, secrets masked; null for those of the notification sections.'),
    hours: z.array(HOUR()).describe('The deliveries made in the last 24 hours, oldest first; without empty hours.'),
  }),
)

export const routesTo = (listed: readonly ListedRule[], destination: string): readonly string[] =>
  listed.filter(({ off, to }) => off === null && to.includes(destination)).map(({ name }) => name)

export function destinationRoutes(deps: DestinationRoutesDeps): ApiRoute[] {
  const { db, clock, destinations, listed, health } = deps
  return [
    route({
      method: 'GET',
      path: '/v4/destinations/{name}',
      scope: 'event:read',
      summary: 'One destination',
      params: () => z.object({ name: z.string().describe('Name of the destination.') }),
      query: NO_QUERY,
      answers: () => ({ 200: ONE().describe('The destination.') }),
      async handle({ params: { name } }) {
        const destination = destinations.get(name)
        if (!destination) {
          throw refusal('DESTINATION_NOT_FOUND', `No destination is called "${name}". GET /v4/destinations lists them.`)
        }
        return jsonAnswer(200, {
          ...destinationNow({ db, health }, destination),
          downSince: isoOf(health.state(name).downSince),
          nextProbeAt: isoOf(deps.nextProbeAt(name)),
          routes: routesTo(listed, name),
          settings: maskedSettings(deps.settings(), name),
          hours: await hoursOf(db, name, clock.now()),
        })
      },
    }),
  ]
}

const isoOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

function maskedSettings(settings: Readonly<Record<string, unknown>>, name: string): unknown {
  if (!Object.hasOwn(settings, name)) return null
  const masked = maskConfig({ footman: { destinations: { [name]: settings[name] } } })
  return (masked as { footman: { destinations: Record<string, unknown> } }).footman.destinations[name]
}

async function hoursOf(db: Database, name: string, now: number): Promise<z.output<ReturnType<typeof HOUR>>[]> {
  const from = now - HOURS * HOUR_MS
  const hours = new Map<number, z.output<ReturnType<typeof HOUR>>>()
  const search = { table: 'delivery', before: null, times: { column: 'created_at', from, to: null } }
  const sql = `SELECT created_at / ${HOUR_MS} AS hour, state, count(*) AS n FROM delivery
    WHERE seq < ? AND seq >= ? AND destination = ? AND +created_at >= ? AND state IN ('delivered', 'suppressed', 'dead')
    GROUP BY 1, 2`
  await countRows<{ hour: number; state: 'delivered' | 'suppressed' | 'dead'; n: number }>(
    db,
    search,
    sql,
    [name, from],
    ({ hour, state, n }) => {
      const at = new Date(hour * HOUR_MS).toISOString()
      const counts = hours.get(hour) ?? { at, delivered: 0, suppressed: 0, dead: 0 }
      counts[state] += n
      hours.set(hour, counts)
    },
  )
  return [...hours].sort(([one], [other]) => one - other).map(([, counts]) => counts)
}
