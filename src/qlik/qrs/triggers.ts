/** Triggers of tasks: schema events (times) and composite events (chains) of QRS. Ids of tasks are lower case. */
import type { QrsTransport } from './transport.ts'
import { NEVER } from './types.ts'

/** `incrementOption` of QRS. */
const INCREMENTS = ['once', 'hourly', 'daily', 'weekly', 'monthly', 'custom'] as const

interface QrsTrigger {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly taskId: string
  readonly taskName: string
  /** Milliseconds since 1970, as all times; null when QRS does not name it. */
  readonly modifiedAt: number | null
}

export interface QrsSchemaEvent extends QrsTrigger {
  /** IANA name. */
  readonly timezone: string
  readonly startAt: number | null
  readonly expiresAt: number | null
  readonly increment: (typeof INCREMENTS)[number]
  /** Minutes, hours, days, weeks. */
  readonly every: readonly number[]
  /** Fields of the filter: days of the week (0 = Sunday) are the 4th, days of the month the 6th, months the 7th; `*` = any. */
  readonly filter: readonly string[]
  /** Null when it does not fire any more. */
  readonly nextAt: number | null
}

export interface QrsCompositeEvent extends QrsTrigger {
  /** All rules must come true within so many milliseconds; null = at any time. */
  readonly withinMs: number | null
  readonly rules: readonly {
    /** '' when the task is gone. */
    readonly taskId: string
    readonly taskName: string
    readonly on: 'success' | 'failure'
  }[]
}

/** Both are complete lists, and reject as the calls of `QrsClient` do. */
export interface TriggerReader {
  /** `schemaevent/full`. */
  schemaEvents(signal?: AbortSignal): Promise<readonly QrsSchemaEvent[]>
  /** `compositeevent/full`. */
  compositeEvents(signal?: AbortSignal): Promise<readonly QrsCompositeEvent[]>
}

export function createTriggerReader({ transport }: { readonly transport: QrsTransport }): TriggerReader {
  return {
    async schemaEvents(signal) {
      return (await transport.list({ path: 'schemaevent/full', signal })).flatMap((one) => toSchemaEvent(one) ?? [])
    },
    async compositeEvents(signal) {
      const events = await transport.list({ path: 'compositeevent/full', signal })
      return events.flatMap((one) => toCompositeEvent(one) ?? [])
    },
  }
}

type Json = Readonly<Record<string, unknown>>

const TASKS = ['reloadTask', 'externalProgramTask', 'userSyncTask'] as const

/** Null when it belongs to no task. */
function toSchemaEvent(value: unknown): QrsSchemaEvent | null {
  const trigger = toTrigger(value)
  if (!trigger) return null
  const raw = value as Json
  const filters = Array.isArray(raw.schemaFilterDescription) ? raw.schemaFilterDescription : []
  return {
    ...trigger,
    timezone: textOf(raw.timeZone),
    startAt: timeOf(raw.startDate),
    expiresAt: timeOf(raw.expirationDate),
    increment: INCREMENTS[Number(raw.incrementOption ?? 0)] ?? 'custom',
    every: textOf(raw.incrementDescription)
      .split(' ')
      .map((part) => Number(part) || 0),
    filter: textOf(filters[0]).split(' '),
    nextAt: timeOf(recordOf(raw.operational)?.nextExecution),
  }
}

const SECONDS = { days: 86_400, hours: 3600, minutes: 60, seconds: 1 } as const
/** `ruleState` of a rule that waits for a failure. */
const TASK_FAILED = 2

/** Null when it belongs to no task. */
function toCompositeEvent(value: unknown): QrsCompositeEvent | null {
  const trigger = toTrigger(value)
  if (!trigger) return null
  const raw = value as Json
  const limit = recordOf(raw.timeConstraint)
  const seconds = Object.entries(SECONDS).reduce((sum, [unit, each]) => sum + (Number(limit?.[unit]) || 0) * each, 0)
  const rules = Array.isArray(raw.compositeRules) ? raw.compositeRules : []
  return {
    ...trigger,
    withinMs: seconds > 0 ? seconds * 1000 : null,
    rules: rules.map((rule: unknown) => ({
      ...(taskOf(rule) ?? { taskId: '', taskName: '' }),
      on: recordOf(rule)?.ruleState === TASK_FAILED ? ('failure' as const) : ('success' as const),
    })),
  }
}

function toTrigger(value: unknown): QrsTrigger | null {
  const raw = recordOf(value)
  const task = taskOf(value)
  if (!raw || !task) return null
  return {
    id: textOf(raw.id),
    name: textOf(raw.name),
    enabled: raw.enabled !== false,
    ...task,
    modifiedAt: timeOf(raw.modifiedDate),
  }
}

function taskOf(holder: unknown): { readonly taskId: string; readonly taskName: string } | null {
  const tasks = TASKS.map((name) => recordOf(recordOf(holder)?.[name]))
  const task = tasks.find((one) => typeof one?.id === 'string')
  return task ? { taskId: textOf(task.id).toLowerCase(), taskName: textOf(task.name) } : null
}

const recordOf = (value: unknown): Json | null => (typeof value === 'object' && value !== null ? (value as Json) : null)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Null for "never" and what is no time. */
function timeOf(value: unknown): number | null {
  const text = textOf(value)
  if (text === '' || text.startsWith(NEVER.slice(0, 4))) return null
  const time = Date.parse(text)
  return Number.isNaN(time) ? null : time
}
