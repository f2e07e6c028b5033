/** Apps: list, dump, and reload without a task. */
import type { TaskSelectors } from '../http/endpoint/caller.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { EngineClient } from '../qlik/engine/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import type { StartTask } from '../tasks/start/types.ts'
import { type Dump, listApps, openDump } from './dump.ts'
import { appRoutes } from './http.ts'
import { createAppReloads } from './reload.ts'
import type { AppReloads } from './types.ts'

export interface AppsDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly qlik: { readonly engine: EngineClient; readonly cachedQrs: Pick<QrsClient, 'appById'> }
  readonly starts: {
    /** Starts the tasks that follow a reload. */
    readonly start: StartTask
    /** The ids that the start filter denies to tasks that follow a reload. */
    deniedFollowUps(taskIds: readonly string[], limitedTo?: TaskSelectors): Promise<readonly string[]>
  }
}

export interface Apps {
  readonly routes: readonly ApiRoute[]
  readonly reloads: AppReloads
  /** Lists and reads apps, for dumps on a schedule. */
  readonly dumps: {
    listApps(signal?: AbortSignal): ReturnType<typeof listApps>
    /** Name of the stream; '' when the app is not published. */
    streamOf(appId: string): Promise<string>
    openDump(appId: string, signal?: AbortSignal): Promise<Dump>
  }
  /** To be stopped before the REST API, so that no long answer delays its stop. */
  readonly services: readonly Service[]
}

/** In shadow mode nothing is reloaded. */
export function createApps({ log, clock, qlik, starts }: AppsDeps, shadow: boolean): Apps {
  const { engine, cachedQrs } = qlik
  const reloads = createAppReloads({ engine, start: starts.start, log, clock })
  const stopping = new AbortController()
  return {
    routes: appRoutes(
      { engine, reloads, log, stopping: stopping.signal, deniedTasks: starts.deniedFollowUps },
      { shadow },
    ),
    reloads,
    dumps: {
      listApps: (signal) => listApps(engine, signal),
      streamOf: async (appId) => (await cachedQrs.appById(appId))?.stream?.name ?? '',
      openDump: (appId, signal) => openDump({ engine, log: log.child('scheduler') }, appId, signal),
    },
    services: [
      {
        ...reloads,
        async stop(graceMs) {
          stopping.abort()
          await reloads.stop(graceMs / 2)
        },
      },
    ],
  }
}
