/** List, dump and reload of apps. */
import { setTimeout as delay } from 'node:timers/promises'
import { createAppReloads } from '../apps/reload.ts'
import { appRoutes } from '../apps/routes.ts'
import type { AppReloads } from '../apps/types.ts'
import type { TaskSelectors } from '../http/endpoint/caller.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { Qlik } from '../qlik/index.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import { startFilterFor } from '../tasks/start/filter.ts'
import { selectTasks } from '../tasks/start/select.ts'
import type { StartTask } from '../tasks/start/types.ts'
import type { Config } from './schema.ts'

export interface Apps {
  readonly routes: readonly ApiRoute[]
  readonly reloads: AppReloads
  /** Stopped before the REST API, so that no long answer holds that up. */
  readonly service: Service
}

/** The caller of a reload waits for this look-up; the filter is asked again before a task is started. */
const FILTER_TIMEOUT_MS = 5000

export function buildApps(
  deps: { readonly log: Logger; readonly clock: Clock; readonly qlik: Qlik; readonly start: StartTask },
  config: Config,
  shadow: boolean,
): Apps {
  const { log, clock, start, qlik } = deps
  const reloads = createAppReloads({ engine: qlik.engine, start, log, clock })
  const stopping = new AbortController()
  const routes = appRoutes(
    {
      engine: qlik.engine,
      reloads,
      log,
      stopping: stopping.signal,
      deniedTasks: (ids, limitedTo) => deniedFollowUps(qlik.qrs, config, ids, limitedTo),
    },
    { shadow },
  )
  const service: Service = {
    ...reloads,
    async stop(graceMs) {
      stopping.abort()
      await reloads.stop(graceMs / 2)
    },
  }
  return { routes, reloads, service }
}

/** Those of the ids that the start filter would not let follow a reload. */
async function deniedFollowUps(
  qrs: QrsClient,
  { startTaskFilter, footman }: Config,
  taskIds: readonly string[],
  limitedTo: TaskSelectors | undefined,
): Promise<readonly string[]> {
  const filter = startFilterFor('followUp', { startTaskFilter, startFilter: footman.startFilter }, limitedTo)
  if (!filter) return []
  const late = delay(FILTER_TIMEOUT_MS, null, { ref: false }).then(() => {
    throw new Error(`QRS did not answer within ${FILTER_TIMEOUT_MS} ms`)
  })
  const selection = selectTasks(qrs, filter, {
    origin: 'followUp',
    requestedBy: 'app reload',
    taskIds,
    tags: [],
    customProperties: [],
    match: 'any',
    allTaskIdsMustExist: false,
  })
  const { denied } = await Promise.race([selection, late])
  return denied.taskIds
}
