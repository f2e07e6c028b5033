/** The tasks of the site, what runs, and their triggers, as QRS had them last. Read only while they are asked for. */
import { within } from '../../platform/deadline.ts'
import { globMatcher } from '../../platform/glob.ts'
import { createOffsets, type Offsets } from '../../platform/offsets.ts'
import type { Clock } from '../../platform/types.ts'
import type { QrsCompositeEvent, QrsSchemaEvent, TriggerReader } from '../../qlik/qrs/triggers.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { TASK_TYPES } from '../executions/kinds.ts'
import { lastResultOf, taskTypeText } from '../executions/status.ts'
import { createLiveReader } from '../safety-net/site.ts'
import type { TaskPolicies } from '../safety-net/task-policies.ts'
import type { StartSelection } from '../schedule/types.ts'
import type { RunningTask } from './queries.ts'

/** The parts of a task that overviews need. */
export interface SiteTask {
  /** Lower case. */
  readonly id: string
  readonly name: string
  readonly type: string
  readonly enabled: boolean
  readonly appId: string | null
  readonly appName: string | null
  readonly stream: string | null
  readonly tags: readonly string[]
  readonly customProperties: readonly { readonly name: string; readonly value: string }[]
  readonly hasRun: boolean
}

export interface Triggers {
  readonly times: readonly QrsSchemaEvent[]
  readonly gates: readonly QrsCompositeEvent[]
  /** Gates with a rule about a task, by the id of that task. */
  readonly after: ReadonlyMap<string, readonly QrsCompositeEvent[]>
}

/** The last answer; null and no time before the first. */
export interface Known<T> {
  readonly value: T | null
  readonly readAt: number | null
  /** It could not be read now, or not in time. */
  readonly stale: boolean
}

export interface Site {
  tasks(): Promise<Known<ReadonlyMap<string, SiteTask>>>
  /** Tasks that wait or run. */
  running(): Promise<Known<readonly RunningTask[]>>
  triggers(): Promise<Known<Triggers>>
  /** Those of the last answer, without asking; empty before the first. */
  readonly last: {
    readonly running: readonly RunningTask[]
    readonly triggers: Triggers
    readonly tasks: ReadonlyMap<string, SiteTask>
  }
  /** The next question about what runs is asked anew. */
  outdate(): void
  offsets(timezone: string): Offsets
}

interface SiteDeps {
  readonly qrs: QrsClient & ExecutionReader & TriggerReader
  readonly clock: Clock
  /** False with `--no-qs-connection`: nothing is asked. */
  readonly isConnected: boolean
}

const TASKS_MS = 120_000
const RUNNING_MS = 5000
const TRIGGERS_MS = 300_000
/** An answer that takes longer is used the next time. */
const PATIENCE_MS = 1500
const NO_TRIGGERS: Triggers = { times: [], gates: [], after: new Map() }

export function createSite({ qrs, clock, isConnected }: SiteDeps): Site {
  const live = createLiveReader({ qrs })
  const zones = new Map<string, Offsets>()
  const executionIds = new Map<string, string>()

  const tasks = createKept(clock, isConnected, TASKS_MS, async () => {
    const all = new Map<string, SiteTask>()
    for await (const batch of qrs.taskBatches())
      for (const task of batch) all.set(task.id.toLowerCase(), siteTask(task))
    return all
  })

  const running = createKept(clock, isConnected, RUNNING_MS, async () => {
    const now = clock.now()
    const found = (await live.read(now)).filter(({ state }) => state !== 'idle')
    const results = found.flatMap(({ resultId }) => resultId ?? [])
    const unknown = results.filter((id) => !executionIds.has(id))
    for (const id of executionIds.keys()) if (!results.includes(id)) executionIds.delete(id)
    for (const { id, executionID } of unknown.length > 0 ? await qrs.resultsById(unknown) : []) {
      if (executionID) executionIds.set(id.toLowerCase(), executionID.toLowerCase())
    }
    return found.map(
      ({ task, state, since, resultId }): RunningTask => ({
        taskId: task.id.toLowerCase(),
        taskName: task.name,
        taskType: taskTypeText(task.taskType),
        executionId: executionIds.get(resultId ?? '') ?? null,
        state: state as RunningTask['state'],
        since: since ?? now,
      }),
    )
  })

  const triggers = createKept(clock, isConnected, TRIGGERS_MS, async (): Promise<Triggers> => {
    const [times, gates] = await Promise.all([qrs.schemaEvents(), qrs.compositeEvents()])
    return { times, gates, after: gatesByTask(gates) }
  })

  return {
    tasks: tasks.get,
    running: running.get,
    triggers: triggers.get,
    get last() {
      return {
        running: running.last() ?? [],
        triggers: triggers.last() ?? NO_TRIGGERS,
        tasks: tasks.last() ?? new Map(),
      }
    },
    outdate: running.outdate,
    offsets(timezone) {
      const known = zones.get(timezone) ?? safeOffsets(timezone)
      zones.set(timezone, known)
      return known
    },
  }
}

/** A name that is no zone gives UTC. */
function safeOffsets(timezone: string): Offsets {
  try {
    return createOffsets(timezone || 'UTC')
  } catch {
    return createOffsets('UTC')
  }
}

/** An answer that is used for a while, and longer where it cannot be read anew. */
function createKept<T>(clock: Clock, isConnected: boolean, freshMs: number, read: () => Promise<T>) {
  let known: { readonly value: T; readonly at: number } | null = null
  let reading: Promise<void> | null = null
  let outdatedAt = Number.NEGATIVE_INFINITY

  function isFresh(): boolean {
    return known !== null && clock.now() - known.at < freshMs && known.at >= outdatedAt
  }

  function start(): Promise<void> {
    const at = clock.now()
    return read()
      .then((value) => {
        known = { value, at }
      })
      .finally(() => {
        reading = null
      })
  }

  return {
    async get(): Promise<Known<T>> {
      if (isConnected && !isFresh()) {
        reading ??= start()
        // The failure shows as a stale answer.
        await within(reading, PATIENCE_MS, () => undefined).catch(() => undefined)
      }
      return { value: known?.value ?? null, readAt: known?.at ?? null, stale: !isFresh() }
    },
    last: (): T | null => known?.value ?? null,
    outdate() {
      outdatedAt = clock.now() + 1
    },
  }
}

function siteTask(task: QrsTask): SiteTask {
  return {
    id: task.id.toLowerCase(),
    name: task.name,
    type: taskTypeText(task.taskType),
    enabled: task.enabled,
    appId: task.app?.id ?? null,
    appName: task.app?.name ?? null,
    stream: task.app?.stream?.name ?? null,
    tags: task.tags.map(({ name }) => name),
    customProperties: task.customProperties.map(({ definition, value }) => ({ name: definition.name, value })),
    hasRun: lastResultOf(task) !== null,
  }
}

export const valuesOf = (task: SiteTask, property: string): string[] =>
  task.customProperties.flatMap(({ name, value }) => (name === property ? value : []))

/** In the form that matches and policies read. */
export function qrsTaskOf(task: SiteTask): QrsTask {
  const { id, name, type, enabled, tags, customProperties, appId, appName, stream } = task
  return {
    id,
    name,
    taskType: (TASK_TYPES as readonly string[]).indexOf(type),
    enabled,
    tags: tags.map((tag) => ({ id: '', name: tag })),
    customProperties: customProperties.map((one) => ({ value: one.value, definition: { id: '', name: one.name } })),
    app:
      appId === null
        ? null
        : { id: appId, name: appName ?? '', stream: stream === null ? null : { id: '', name: stream } },
  }
}

/** The policies of tasks that a site has read. */
export type SitePolicies = {
  readonly [K in 'retryOf' | 'watchOf' | 'dueOf']: (task: SiteTask) => ReturnType<TaskPolicies[K]>
}

export function createSitePolicies({ retryOf, watchOf, dueOf }: TaskPolicies): SitePolicies {
  const forms = new WeakMap<SiteTask, QrsTask>()
  const formOf = (task: SiteTask): QrsTask => {
    const form = forms.get(task) ?? qrsTaskOf(task)
    forms.set(task, form)
    return form
  }
  return {
    retryOf: (task) => retryOf(formOf(task)),
    watchOf: (task) => watchOf(formOf(task)),
    dueOf: (task) => dueOf(formOf(task)),
  }
}

/** Whether a schedule starts the task. */
export function isSelected(task: SiteTask, selection: StartSelection): boolean {
  const { taskIds, tags, customProperties, taskNames = [], match } = selection
  const byId = taskIds.some((id) => id.toLowerCase() === task.id)
  const isNamed = globMatcher(taskNames)(task.name)
  const hasTag = (tag: string) => task.tags.includes(tag)
  const hasProperty = (wanted: { readonly name: string; readonly value: string }) =>
    task.customProperties.some(({ name, value }) => name === wanted.name && value === wanted.value)
  if (match !== 'all') {
    return byId || tags.some(hasTag) || customProperties.some(hasProperty) || isNamed
  }
  return (
    (taskIds.length === 0 || byId) &&
    tags.every(hasTag) &&
    customProperties.every(hasProperty) &&
    (taskNames.length === 0 || isNamed)
  )
}

function gatesByTask(gates: readonly QrsCompositeEvent[]): Map<string, QrsCompositeEvent[]> {
  const after = new Map<string, QrsCompositeEvent[]>()
  for (const gate of gates) {
    for (const taskId of new Set(gate.rules.map((rule) => rule.taskId))) {
      after.set(taskId, [...(after.get(taskId) ?? []), gate])
    }
  }
  return after
}

/** Tasks that run after this one has succeeded, directly or through others; each once, never itself. */
export function downstreamOf({ after }: Pick<Triggers, 'after'>, taskId: string): string[] {
  const found = new Set<string>()
  const queue = [taskId]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const gate of after.get(next) ?? []) {
      const isAfter = gate.enabled && gate.rules.some((rule) => rule.taskId === next && rule.on === 'success')
      if (!isAfter || gate.taskId === taskId || found.has(gate.taskId)) continue
      found.add(gate.taskId)
      queue.push(gate.taskId)
    }
  }
  return [...found]
}
