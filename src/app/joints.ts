/** Small pieces between the parts: how they start and stop, and who is told. */
import type { EventRouter } from '../events/router.ts'
import type { TaskEvent } from '../events/types.ts'
import type { Service } from '../platform/types.ts'
import type { Alerts } from './alerts.ts'

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
    routeEnriched(db, event, resumed) {
      router.routeEnriched(db, event, resumed)
      enriched(event)
    },
  }
}
