/** Starting tasks, the start queue, and following what was started to its end. */

import { setTimeout as delay } from 'node:timers/promises'
import type { AppReloads } from '../apps/types.ts'
import type { Config } from '../config/schema.ts'
import type { TaskEvent } from '../events/types.ts'
import type { TaskSelectors } from '../http/endpoint/caller.ts'
import { createIdempotency, idempotencyMigrations } from '../http/endpoint/idempotency.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { createCachedQrs } from '../qlik/qrs/cached.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import { createExecutions } from '../tasks/executions/executions.ts'
import { createFollower, type Follower } from '../tasks/executions/follower.ts'
import { createLookout } from '../tasks/executions/look.ts'
import { executionRoutes } from '../tasks/executions/routes.ts'
import { createRunningStarts } from '../tasks/executions/running.ts'
import { createStartRecords, executionMigrations } from '../tasks/executions/store.ts'
import { createTaskList } from '../tasks/executions/tasks.ts'
import type { StartRecords } from '../tasks/executions/types.ts'
import { startFilterFor } from '../tasks/start/filter.ts'
import { createStartQueue, type StartQueueDeps } from '../tasks/start/queue.ts'
import { queueRoutes } from '../tasks/start/queue-routes.ts'
import { createQueueStore, queueMigrations } from '../tasks/start/queue-store.ts'
import { migrations as requestMigrations } from '../tasks/start/request-store.ts'
import { startTaskRoutes } from '../tasks/start/routes.ts'
import { selectTasks } from '../tasks/start/select.ts'
import { createStartTask, type StartTaskDeps } from '../tasks/start/start.ts'
import type { StartTask } from '../tasks/start/types.ts'
import type { Qlik } from './qlik.ts'

export const startMigrations = [
  ...requestMigrations,
  ...idempotencyMigrations,
  ...executionMigrations,
  ...queueMigrations,
]

export interface StartsDeps extends Pick<StartTaskDeps, 'storeKeyValues' | 'onFinished'> {
  readonly log: Logger
  readonly clock: Clock
  readonly db: Database
  readonly writer: GroupWriter
  readonly qlik: Qlik
  readonly onDropped: StartQueueDeps['onDropped']
}

export interface StartsOptions {
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface Starts {
  readonly start: StartTask
  /** What Footman has started. */
  readonly records: StartRecords
  readonly follower: Follower
  routes(reloads: AppReloads): readonly ApiRoute[]
  /** The ids that the start filter denies to tasks that follow a reload of an app. */
  deniedFollowUps(taskIds: readonly string[], limitedTo?: TaskSelectors): Promise<readonly string[]>
  /** An event of the scheduler: whoever follows the execution looks at once. */
  onEvent(event: TaskEvent): void
  /** Tasks in the start queue. */
  readonly queueLength: number
  /** Starts what waits; to be started before and stopped after whoever asks for starts. */
  readonly service: Service
  /** To be stopped before the REST API, so that no waiting call holds that up. */
  readonly waiting: Service
}

/** The caller of a reload waits for this look-up; the filter is asked again before a task is started. */
const FILTER_TIMEOUT_MS = 5000
/** Answers of QRS about single tasks are used for so long. */
const CACHE_MS = 10_000
/** What nobody waits for is looked at this often. */
const SWEEP_MS = 10 * 60_000

export function buildStarts(deps: StartsDeps, config: Config, { shadow, qrsConnection }: StartsOptions): Starts {
  const { log, clock, db, writer } = deps
  const { qrs } = deps.qlik
  const { startFilter, startQueue, retention } = config.footman
  const records = createStartRecords({ db, writer })
  const lookout = createLookout({ qrs, clock })
  const follower = createFollower({ lookout, clock, log })
  const running = createRunningStarts({ records, lookout, follower, qrs, clock, log })
  const store = createQueueStore({ db, writer })
  const queue = createStartQueue({ ...deps, qrs, store, records, running }, startQueue)
  const start = createStartTask(
    { ...deps, qrs, records, queue },
    { startTaskFilter: config.startTaskFilter, startFilter, shadow },
  )
  const stopping = new AbortController()
  const starts = qrsConnection && !shadow
  let timer: ReturnType<typeof setInterval> | undefined

  function sweep(): void {
    const failed = (error: unknown) => log.verbose(`EXECUTIONS: Started tasks could not be looked at: ${error}`)
    if (records.open().length > 0 && starts) running.refresh(0).catch(failed)
    records.prune(clock.now() - retention.history).catch(failed)
  }

  return {
    start,
    records,
    follower,
    routes(reloads) {
      const cached = createCachedQrs(qrs, { ttlMs: CACHE_MS }, clock)
      const executions = createExecutions({
        ...{ qrs: cached, lookout, follower, records, reloads },
        queued: queue.find,
      })
      const idempotency = createIdempotency({ db, writer, clock, log })
      const { signal } = stopping
      return [
        ...startTaskRoutes({ start, log, executions: follower, idempotency, stopping: signal }),
        ...executionRoutes({ executions, tasks: createTaskList({ qrs, clock }), stopping: signal }),
        ...queueRoutes({ queue, running }),
      ]
    },
    deniedFollowUps: (taskIds, limitedTo) => deniedFollowUps(qrs, config, taskIds, limitedTo),
    onEvent({ executionId, taskId }) {
      running.follow(executionId)
      follower.nudge(executionId, taskId)
    },
    get queueLength() {
      return queue.list().length
    },
    service: {
      name: queue.name,
      async start() {
        if (starts) await queue.start()
        timer = setInterval(sweep, SWEEP_MS)
      },
      async stop(graceMs) {
        clearInterval(timer)
        await queue.stop(graceMs)
        follower.stop()
      },
    },
    waiting: { name: 'waiting calls', start: async () => {}, stop: async () => stopping.abort() },
  }
}

/** The ids that the start filter denies to tasks that follow a reload. */
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
