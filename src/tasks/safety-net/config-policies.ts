/**
 * Policies of tasks: how their texts in custom properties are read (`3x/5m*2 if connection` for retries, `late=30m; stuck=2h`
 * for the watchdog, `mon-fri 07:30` for due times), and `Butler.footman.taskPolicies`, which has the same for tasks by match.
 */
import { z } from 'zod'
import {
  type FieldNotes,
  list,
  name,
  noted,
  object,
  oneOrMany,
  section,
  taskFields,
  word,
} from '../../config/fields.ts'
import { TASK_TYPES } from '../../events/kinds.ts'
import { weekdayRange } from '../../platform/calendar.ts'
import { formatDuration, parseDuration } from '../../platform/duration.ts'

export interface RetryPolicy {
  /** How often it is started again. */
  readonly max: number
  /** From a failure to the first retry, in milliseconds. */
  readonly delayMs: number
  /** By how much each delay is longer than the one before. */
  readonly factor: number
  /** Only errors that hold this text, ignoring case; null = any. */
  readonly condition: string | null
}

type ParsedRetryPolicy =
  /** Null: the task is not started again. */
  { readonly ok: true; readonly policy: RetryPolicy | null } | { readonly ok: false; readonly error: string }

const FORM = /^(\d+)\s*x\s*\/\s*([^\s*]+?)(?:\s*\*\s*(\d+(?:\.\d+)?))?(?:\s+if\s+(.+))?$/i
const SHORTEST_RETRY_MS = 10_000
/** Between two tries of a task. */
export const LONGEST_RETRY_MS = 86_400_000

export function parseRetryPolicy(text: string): ParsedRetryPolicy {
  if (/^\s*none\s*$/i.test(text)) return { ok: true, policy: null }
  const match = FORM.exec(text.trim())
  if (!match) return wrong(`"${text}" is neither none nor of the form 3x/5m, 3x/5m*2 or 3x/5m if connection`)
  const [, times = '', delay = '', factorText = '1', condition = ''] = match
  const max = Number(times)
  if (max < 1 || max > 10) return wrong(`${times} is not a number of tries from 1 to 10`)
  const duration = parseDuration(delay)
  if (!duration.ok || duration.value < SHORTEST_RETRY_MS || duration.value > LONGEST_RETRY_MS) {
    return wrong(`"${delay}" is not a time from 10s to 24h`)
  }
  const factor = Number(factorText)
  if (factor < 1 || factor > 10) return wrong(`${factorText} is not a factor from 1 to 10`)
  return { ok: true, policy: { max, delayMs: duration.value, factor, condition: condition.trim() || null } }
}

const wrong = (error: string): ParsedRetryPolicy => ({ ok: false, error })

export const WATCHED = ['late', 'stuck', 'neverStarted'] as const
export type WatchName = (typeof WATCHED)[number]

/** Fixed limits in milliseconds; `off` = never; absent = as learnt. */
export type WatchPolicy = Readonly<Partial<Record<WatchName, number | 'off'>>>

type ParsedPolicy = { readonly ok: true; readonly policy: WatchPolicy } | { readonly ok: false; readonly error: string }

const MINUTE_MS = 60_000
const MONTH_MS = 30 * 86_400_000
const ALL_OFF: WatchPolicy = { late: 'off', stuck: 'off', neverStarted: 'off' }

/** Limits go from 1m to 30d. */
export function parseWatchPolicy(text: string): ParsedPolicy {
  if (/^\s*off\s*$/i.test(text)) return { ok: true, policy: ALL_OFF }
  const policy: Partial<Record<WatchName, number | 'off'>> = {}
  for (const part of text.split(';').filter((one) => one.trim() !== '')) {
    const [, word = '', value = ''] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? []
    const name = WATCHED.find((one) => one.toLowerCase() === word.toLowerCase())
    if (!name) return { ok: false, error: `"${part.trim()}" is none of late=..., stuck=..., neverStarted=...` }
    const limit = limitOf(value)
    if (limit === null) return { ok: false, error: `"${value}" is neither off nor a time from 1m to 30d` }
    policy[name] = limit
  }
  return { ok: true, policy }
}

/** The text of the limits in a custom property; null without limits. */
export function watchText(policy: WatchPolicy): string | null {
  const limits = WATCHED.flatMap((name) => {
    const limit = policy[name]
    return limit === undefined ? [] : `${name}=${limit === 'off' ? limit : formatDuration(limit)}`
  })
  return limits.join('; ') || null
}

function limitOf(value: string): number | 'off' | null {
  if (value.toLowerCase() === 'off') return 'off'
  const duration = parseDuration(value)
  return duration.ok && duration.value >= MINUTE_MS && duration.value <= MONTH_MS ? duration.value : null
}

/** One value of `dueBy`: a time of day, on some days of the week, or a length of time from the planned start. */
export type DueRule =
  | { readonly kind: 'after'; readonly ms: number }
  /** Milliseconds of the day; days as numbers, 0 = Monday; null = every day. */
  | { readonly kind: 'clock'; readonly timeOfDay: number; readonly days: ReadonlySet<number> | null }

const CLOCK = /^(?:(\w{3}(?:-\w{3})?(?:\s*,\s*\w{3}(?:-\w{3})?)*)\s+)?([01]?\d|2[0-3]):([0-5]\d)$/i

/** `07:30`, `mon-fri 07:30`, `+45m`; null when it has none of these forms. */
export function parseDue(text: string): DueRule | null {
  const trimmed = text.trim()
  if (trimmed.startsWith('+')) {
    const duration = parseDuration(trimmed.slice(1))
    return duration.ok ? { kind: 'after', ms: duration.value } : null
  }
  const [whole, days, hours, minutes] = CLOCK.exec(trimmed) ?? []
  if (whole === undefined) return null
  const wanted = days === undefined ? null : daysOf(days.toLowerCase())
  if (wanted?.size === 0) return null
  return { kind: 'clock', timeOfDay: (Number(hours) * 60 + Number(minutes)) * 60_000, days: wanted }
}

/** Empty when a name is none. */
function daysOf(text: string): ReadonlySet<number> {
  const ranges = text.split(',').map(weekdayRange)
  return new Set(ranges.includes(null) ? [] : ranges.flatMap((days) => days ?? []))
}

// `Butler.footman.taskPolicies`.

const retryText = z.string().superRefine((value, context) => {
  const parsed = parseRetryPolicy(value)
  if (!parsed.ok) context.addIssue({ code: 'custom', input: value, message: `must be a retry policy; ${parsed.error}` })
})

const dueText = z.string().refine((value) => parseDue(value) !== null, {
  error: (issue) => `must be a time like "07:30", "mon-fri 07:30" or "+45m", found "${issue.input}"`,
})

/** A text; a bare number is refused with a word about its unit. */
const limitText = z
  .string({
    error: ({ input }) => (input === undefined ? undefined : `must be off or a time like 30m, found ${input}`),
  })
  .transform((value, context) => {
    const limit = limitOf(value.trim())
    if (limit !== null) return limit
    context.addIssue({
      code: 'custom',
      input: value,
      message: `must be off or a time from 1m to 30d, found "${value}"`,
    })
    return z.NEVER
  })

const limit = (description: string, label: string, notes: FieldNotes) =>
  noted(limitText.optional(), { description, ...notes }).meta({ label, group: 'watch' })

/** All given fields must hold; the words are those of the match of a rule. */
const taskMatch = object(() => ({
  type: oneOrMany('Kinds of tasks.', word(TASK_TYPES))
    .optional()
    .meta({ description: 'Kinds of tasks.', defaultText: 'all', label: 'Kinds', group: 'match', advanced: true }),
  ...taskFields(),
}))

const watch = section('Limits of the tasks, in place of those that the watchdog has learnt.', () => ({
  late: limit('Late: queued longer than this; off = never.', 'Late after', { defaultText: 'as learnt' }),
  stuck: limit('Stuck: running longer than this; off = never.', 'Longest run', { defaultText: 'as learnt' }),
  neverStarted: limit('Never started: this long after the due time; off = never.', 'Never started after', {
    defaultText: 'footman.watchdog.neverStartedAfter',
  }),
  dueBy: oneOrMany(
    'When the tasks must have succeeded: "07:30", "mon-fri 07:30", or "+45m" after the planned start.',
    dueText,
  )
    .optional()
    .meta({
      description: 'When the tasks must have succeeded: "07:30", "mon-fri 07:30", or "+45m" after the planned start.',
      label: 'Due by',
      group: 'watch',
    }),
}))

/** An unknown key is an error: a misspelt condition would cover all tasks. */
export const taskPolicy = noted(
  object(() => ({
    name: name('Shown on the pages of tasks.').meta({ label: 'Name', group: 'policy' }),
    match: oneOrMany('Tasks that the policy covers; a list means any of them.', taskMatch.meta({ title: 'Condition' }))
      .optional()
      .meta({
        description: 'Tasks that the policy covers; a list means any of them.',
        defaultText: 'all tasks',
        label: 'Tasks',
        group: 'match',
      }),
    retry: noted(retryText.optional(), {
      description:
        'Starting the tasks again after a failure, like 3x/5m, 3x/5m*2 or 3x/5m if connection; none = never.',
      defaultText: 'none',
    }).meta({
      label: 'Retry',
      hint: '3x/5m: 3 times, every 5 minutes. 3x/5m*2: each time twice as long. none: never.',
      group: 'retry',
    }),
    watch,
  })),
  { description: 'A policy.', closed: true },
)

export const taskPolicies = list(
  'Retry and watch policies of tasks by match. The first that matches counts; a custom property of the task wins.',
  taskPolicy,
)

export type TaskPolicyConfig = z.output<typeof taskPolicy>
export type TaskMatch = z.output<typeof taskMatch>
