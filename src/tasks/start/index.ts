/** Starting tasks: the one start function, the start queue, the endpoints, and start requests over MQTT. */
import type { TaskSelectors } from '../../http/endpoint/caller.ts'
import { idempotencyMigrations } from '../../http/endpoint/idempotency.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { FootmanMqttConfig, MqttConfig } from '../../mqtt/config.ts'
import type { MqttOutgoing, MqttService } from '../../mqtt/types.ts'
import { within } from '../../platform/deadline.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { ChainReader, ExecutionReader, QrsClient } from '../../qlik/qrs/types.ts'
import { executionMigrations } from '../executions/store.ts'
import type { ExecutionFollower, QueuedStart, RunningStarts, StartRecords } from '../executions/types.ts'
import type { StartQueueConfig } from './config.ts'
import { queueRoutes, startTaskRoutes } from './http.ts'
import { createStartPublishing, createStartRequests } from './mqtt.ts'
import { createStartNotes, noteMigrations } from './notes.ts'
import { createStartPreview } from './preview.ts'
import { createQueueStore, createStartQueue, queueMigrations, type StartQueueDeps } from './queue.ts'
import { migrations as requestMigrations } from './request-store.ts'
import { type StartFilterSettings, selectTasks, startFilterFor, verifyStartFilter } from './select.ts'
import { createStartTask, type StartTaskDeps } from './start.ts'
import type { StartTask } from './types.ts'

export { createStartPublishing }

export const startMigrations = [
  ...requestMigrations,
  ...idempotencyMigrations,
  ...executionMigrations,
  ...queueMigrations,
  ...noteMigrations,
]

export interface StartsDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Holds the tables of `startMigrations`. */
  readonly db: Database
  readonly writer: GroupWriter
  readonly qlik: { readonly qrs: QrsClient & ChainReader & Pick<ExecutionReader, 'resultsById'> }
  readonly executions: {
    readonly records: StartRecords
    readonly running: RunningStarts
    readonly follower: ExecutionFollower
    readonly stopping: AbortSignal
  }
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** `outgoing` takes the answers to start requests over MQTT; null when MQTT is not configured. */
  readonly messages: { readonly outgoing: MqttOutgoing | null }
  readonly kv: Pick<StartTaskDeps, 'storeKeyValues'>
  readonly on: {
    readonly start: NonNullable<StartTaskDeps['onFinished']>
    readonly startDropped: NonNullable<StartQueueDeps['onDropped']>
  }
}

/** Sections of the configuration that starts read. */
export interface StartsSettings extends Pick<StartFilterSettings, 'startTaskFilter'> {
  readonly mqttConfig: Pick<MqttConfig, 'subscriptionRootTopic' | 'taskStartTopic'>
  readonly footman: Pick<StartFilterSettings, 'startFilter'> & {
    readonly startQueue: StartQueueConfig
    readonly node: { readonly role: 'primary' | 'satellite' }
    readonly mqtt: Pick<FootmanMqttConfig, 'taskStartResultTopic'>
  }
}

export interface StartsOptions {
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface Starts {
  readonly start: StartTask
  /** Follows executions, those of started tasks among them, to their end. */
  readonly follower: ExecutionFollower
  readonly routes: readonly ApiRoute[]
  /** An entry of the start queue by its id. */
  queued(id: string): QueuedStart | null
  /** Tasks in the start queue. */
  readonly queueLength: number
  /** The ids that the start filter denies to tasks that follow a reload of an app. */
  deniedFollowUps(taskIds: readonly string[], limitedTo?: TaskSelectors): Promise<readonly string[]>
  /** The start queue and the requests over MQTT: to be started before and stopped after every sender of start requests. */
  readonly backends: readonly Service[]
  /** The check of the start filter. */
  readonly services: readonly Service[]
}

export function createStarts(
  deps: StartsDeps,
  config: StartsSettings,
  { shadow, qrsConnection }: StartsOptions,
): Starts {
  const { log, db, writer, on } = deps
  const { qrs } = deps.qlik
  const { records, running, follower, stopping } = deps.executions
  const store = createQueueStore({ db, writer })
  const queue = createStartQueue(
    { ...deps, qrs, store, records, running, onDropped: on.startDropped },
    config.footman.startQueue,
  )
  const start = createStartTask(
    { ...deps, ...deps.kv, qrs, records, queue, notes: createStartNotes(deps), onFinished: on.start },
    { startTaskFilter: config.startTaskFilter, startFilter: config.footman.startFilter, shadow },
  )
  const preview = createStartPreview(
    { qrs },
    { startTaskFilter: config.startTaskFilter, startFilter: config.footman.startFilter },
  )
  return {
    start,
    follower,
    routes: [
      ...startTaskRoutes({
        start,
        preview,
        log,
        executions: follower,
        stopping,
        limited: queue.maxConcurrent > 0,
      }),
      ...queueRoutes({ queue, running }),
    ],
    queued: queue.find,
    get queueLength() {
      return queue.list().length
    },
    deniedFollowUps: (taskIds, limitedTo) => deniedFollowUps(qrs, config, taskIds, limitedTo),
    backends: [
      {
        ...queue,
        async start() {
          if (qrsConnection && !shadow) await queue.start()
        },
      },
      ...mqttStarts(deps, start, config, shadow),
    ],
    services: qrsConnection ? [filterCheck(qrs, log, config)] : [],
  }
}

/** Looks once for the tasks of the start filter in Qlik Sense. */
const filterCheck = (qrs: QrsClient, log: Logger, config: StartsSettings): Service => ({
  name: 'check of the start filter',
  start: async () => void verifyStartFilter({ qrs, log }, config),
  stop: async () => {},
})

/** The caller of a reload waits for this look-up; the filter is asked again before a task is started. */
const FILTER_TIMEOUT_MS = 5000

async function deniedFollowUps(
  qrs: QrsClient,
  { startTaskFilter, footman }: StartsSettings,
  taskIds: readonly string[],
  limitedTo: TaskSelectors | undefined,
): Promise<readonly string[]> {
  const filter = startFilterFor('followUp', { startTaskFilter, startFilter: footman.startFilter }, limitedTo)
  if (!filter) return []
  const selection = selectTasks(qrs, filter, {
    origin: 'followUp',
    requestedBy: 'app reload',
    taskIds,
    tags: [],
    customProperties: [],
    match: 'any',
    allTaskIdsMustExist: false,
  })
  const { denied } = await within(selection, FILTER_TIMEOUT_MS, () => {
    throw new Error(`QRS did not answer within ${FILTER_TIMEOUT_MS} ms`)
  })
  return denied.taskIds
}

/** Start requests over MQTT. None on a satellite, because the primary node takes them, and none in shadow mode. */
function mqttStarts(
  { db, writer, clock, log, mqtt, messages: { outgoing } }: StartsDeps,
  start: StartTask,
  { mqttConfig, footman }: StartsSettings,
  shadow: boolean,
): readonly Service[] {
  if (!mqtt || !outgoing || shadow || footman.node.role === 'satellite') return []
  const { subscriptionRootTopic, taskStartTopic } = mqttConfig
  const { taskStartResultTopic } = footman.mqtt
  return [
    createStartRequests(
      { db, writer, clock, log, mqtt, outgoing, start },
      { subscriptionRootTopic, taskStartTopic, taskStartResultTopic, shadow },
    ),
  ]
}
