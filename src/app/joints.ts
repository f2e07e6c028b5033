/** Small pieces between the parts: how they start and stop, and who is told. */
import type { EventRouter } from '../events/router.ts'
import type { TaskEvent } from '../events/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Service } from '../platform/types.ts'
import type { Alerts } from './alerts.ts'

/** Closes the database when everything else has stopped. */
export function storageService(db: Database, writer: GroupWriter): Service {
  return {
    name: 'database',
    start: async () => {},
    async stop() {
      await writer.flush().catch(() => undefined)
      db.close()
    },
  }
}

export function outboxService({ outbox }: Alerts): Service {
  return { name: 'outbox', start: async () => outbox.start(), stop: outbox.stop }
}

/** The router, telling observers about every event that arrives, and about every one that waits for data no longer. */
export function observed(
  router: EventRouter,
  tell: (event: TaskEvent) => void,
  enriched: (event: TaskEvent) => void,
): EventRouter {
  return {
    ...router,
    routeArrival(db, event) {
      router.routeArrival(db, event)
      tell(event)
    },
    routeEnriched(db, event) {
      router.routeEnriched(db, event)
      enriched(event)
    },
  }
}
