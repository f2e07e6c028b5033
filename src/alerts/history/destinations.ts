/** One destination with its settings, its routes and its last day (`/v4/destinations/{name}`). */
import { maskConfig } from '../../config/mask.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { DestinationHealth } from '../outbox/destination-health.ts'
import { DESTINATION, type DestinationDetail, type Hour } from '../rules/contract.ts'
import type { ListedRule } from '../rules/explain.ts'
import { destinationNow } from '../rules/http.ts'
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

export const routesTo = (listed: readonly ListedRule[], destination: string): readonly string[] =>
  listed.filter(({ off, to }) => off === null && to.includes(destination)).map(({ name }) => name)

export function destinationRoutes(deps: DestinationRoutesDeps): ApiRoute[] {
  const { db, clock, destinations, listed, health } = deps
  return [
    route({
      ...DESTINATION,
      scope: 'event:read',
      summary: 'One destination',
      examples: [{ name: 'chat', params: { name: 'ops-chat' }, status: 200 }],
      async handle({ params: { name } }, answer) {
        const destination = destinations.get(name)
        if (!destination) {
          throw refusal('DESTINATION_NOT_FOUND', `No destination is called "${name}". GET /v4/destinations lists them.`)
        }
        return answer(200, {
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

function maskedSettings(settings: Readonly<Record<string, unknown>>, name: string): DestinationDetail['settings'] {
  if (!Object.hasOwn(settings, name)) return null
  const masked = maskConfig({ footman: { destinations: { [name]: settings[name] } } })
  type Masked = { footman: { destinations: Record<string, DestinationDetail['settings']> } }
  return (masked as Masked).footman.destinations[name] ?? null
}

async function hoursOf(db: Database, name: string, now: number): Promise<Hour[]> {
  const from = now - HOURS * HOUR_MS
  const hours = new Map<number, Hour>()
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
      hours.set(hour, { ...counts, [state]: counts[state] + n })
    },
  )
  return [...hours].sort(([one], [other]) => one - other).map(([, counts]) => counts)
}
