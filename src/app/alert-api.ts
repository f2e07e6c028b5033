/** The endpoints over alert routes, destinations and snoozes. */
import { alertRouteApi } from '../alerts/rules/http.ts'
import { snoozeRoutes } from '../alerts/snoozes.ts'
import { loadTaskEvent, storeWholeEvent } from '../events/store.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { Windows } from '../platform/calendar.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import type { Alerts } from './alerts.ts'
import type { Config } from './schema.ts'

export interface AlertApiDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly alerts: Pick<Alerts, 'router' | 'listed' | 'destinations' | 'health'>
  readonly windows: Windows
  readonly qrs: QrsClient
}

export function alertRouteRoutes(deps: AlertApiDeps, { footman }: Config): ApiRoute[] {
  const { alerts, db, clock, qrs } = deps
  const { router, listed, destinations, health } = alerts
  return [
    ...alertRouteApi({
      ...{ db, clock, qrs, router, listed, destinations, health, keepMs: footman.retention.events },
      loadEvent: (id) => loadTaskEvent(db, id),
      storeEvent: storeWholeEvent,
    }),
    ...snoozeRoutes(deps),
  ]
}
