/** From the members of a schedule to a plan that can run; every mistake is reported with its place. */
import { z } from 'zod'
import { durationField, isTimezone, nameText, oneOrMany, windowReference } from '../../config/fields.ts'
import { nearest } from '../../config/nearest.ts'
import type { Calendars, Day, Windows } from '../../platform/calendar.ts'
import {
  type CronExpression,
  type CronProblem,
  createCronEngine,
  describeCron,
  type MonthBase,
  parseCron,
} from '../../platform/cron.ts'
import { createOffsets } from '../../platform/offsets.ts'
import { once } from '../../platform/once.ts'
import { isGuid } from '../../platform/uuid.ts'
import { hostZone } from '../../platform/zone.ts'
import { createZoneClock, type ZoneClock } from '../../platform/zone-clock.ts'
import { parseStart } from '../start/parse.ts'
import { EXTRA_MEMBERS } from './contract.ts'
import { createOccurrences } from './occurrences.ts'
import type { Plan, PlanProblem, ScheduleAction, ScheduleValues, StartSelection } from './types.ts'

export interface PlannerDeps {
  readonly windows: Windows
  readonly calendars: Calendars
  /** Whether the configuration has a destination of type webhook with that name. */
  readonly hasWebhook: (destination: string) => boolean
}

export interface PlannerSettings {
  readonly monthBase: MonthBase
  /** All schedules run on the clock of this computer. */
  readonly ignoreTimezone: boolean
}

export type Planned = { readonly ok: true; readonly plan: Plan } | { readonly ok: false; readonly problem: PlanProblem }

export interface Planner {
  plan(values: ScheduleValues): Planned
  /** The next firings with the time zone of this computer, as Butler would have it. */
  localNext(plan: Plan, after: number): number | null
  readonly localZone: string
}

const globList = oneOrMany('Globs.', z.string().min(1)).optional()

/** JavaScript in it would run with the rights of the account of Footman, and schedules also come over REST. */
const scheduleBody = z
  .string()
  .refine((text) => !text.includes('<%'), { error: 'must not hold <% (a template with JavaScript): use {{...}}' })
  .default('')

/** The member `action`, as it is written in the file. */
const actionSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('startTask') }),
    z.strictObject({
      type: z.literal('appDump'),
      folder: nameText,
      apps: z.strictObject({ appId: globList, stream: globList, name: globList }).optional(),
      keep: z.int().min(1).max(1_000_000).default(14),
      maxAge: durationField().optional(),
    }),
    z.strictObject({ type: z.literal('webhook'), destination: nameText, body: scheduleBody }),
  ])
  .transform((action): ScheduleAction => {
    if (action.type !== 'appDump') return action
    const { folder, keep, maxAge = null, apps: { appId = null, stream = null, name = null } = {} } = action
    return { type: 'appDump', folder, keep, maxAgeMs: maxAge, apps: { appId, stream, name } }
  })

/** The members beyond those of Butler. */
const EXTRA_FIELDS = {
  target: z.unknown(),
  action: actionSchema,
  window: oneOrMany('Windows.', windowReference),
  onlyOn: oneOrMany('Calendars.', nameText),
  notOn: oneOrMany('Calendars.', nameText),
  shift: z.enum(['none', 'previous', 'next']),
  overlapPolicy: z.enum(['allow', 'skip', 'queue']),
  misfirePolicy: z.enum(['skip', 'runOnce']),
  jitter: durationField({ min: 0 }),
} as const satisfies Record<(typeof EXTRA_MEMBERS)[number], z.ZodType>

const EXTRAS = once(() => z.object(EXTRA_FIELDS).partial())

const NOTHING: StartSelection = { taskIds: [], tags: [], customProperties: [], taskNames: [], match: 'any' }

class Invalid extends Error {
  constructor(readonly problem: PlanProblem) {
    super(problem.message)
  }
}

const invalid = (field: string, why: string, details?: string): Invalid =>
  new Invalid({ field, message: `Invalid ${field}: ${why}`, ...(details !== undefined && { details }) })

/** Expressions that are kept; more than that are forgotten together. */
const MAX_EXPRESSIONS = 1000

export function createPlanner(deps: PlannerDeps, settings: PlannerSettings): Planner {
  const { windows, calendars } = deps
  const localZone = hostZone()
  const engine = createCronEngine()
  const localClock = createZoneClock(createOffsets(localZone), engine)
  const zones = new Map<string, ZoneClock>()
  const expressions = new Map<string, CronExpression>()

  /** Null when there is no such zone. Unknown names are not kept: callers may send any number of them. */
  function clockOf(timezone: string): ZoneClock | null {
    const known = zones.get(timezone)
    if (known) return known
    if (timezone === '' || !isTimezone(timezone)) return null
    const clock = createZoneClock(createOffsets(timezone), engine)
    zones.set(timezone, clock)
    return clock
  }

  /** Schedules with the same text share one expression, and so its next firing. */
  function expressionOf(text: string): CronExpression {
    const known = expressions.get(text)
    if (known) return known
    const result = parseCron(text, settings.monthBase)
    if (!result.ok) throw invalid('cronSchedule', result.problem.reason, pointAt(text, result.problem))
    if (expressions.size >= MAX_EXPRESSIONS) expressions.clear()
    expressions.set(text, result.value)
    return result.value
  }

  function planOf(values: ScheduleValues): Plan {
    const cron = expressionOf(textOf(values.cronSchedule))
    const timezone = textOf(values.timezone)
    const ownClock = clockOf(timezone)
    if (!ownClock) throw invalid('timezone', timezone)
    const taskId = readTaskId(values)
    const extras = readExtras(values)
    const { action = { type: 'startTask' as const }, shift = 'none', onlyOn, notOn } = extras
    const target = extras.target == null ? null : readTarget(extras.target)
    if (action.type === 'startTask' && taskId === '' && target === null) throw invalid('qlikSenseTaskId', '')
    if (action.type === 'webhook' && !deps.hasWebhook(action.destination))
      throw invalid('action', `there is no webhook "${action.destination}" in Butler.footman.destinations`)
    checkNames(
      'window',
      (extras.window ?? []).filter((one) => typeof one === 'string'),
      windows,
    )
    for (const one of extras.window ?? []) {
      if (typeof one !== 'string') checkNames('window', [...(one.on ?? []), ...(one.notOn ?? [])], calendars)
    }
    checkNames('onlyOn', onlyOn ?? [], calendars)
    checkNames('notOn', notOn ?? [], calendars)
    const occurrences = createOccurrences(
      {
        cron,
        clock: settings.ignoreTimezone ? localClock : ownClock,
        dayAllowed: onlyOn || notOn ? (day) => calendarsAgainst(calendars, extras, day).length === 0 : null,
        calendarsAgainst: (day) => calendarsAgainst(calendars, extras, day),
        windows: extras.window ?? null,
        shift,
      },
      windows,
    )
    return {
      cron,
      timezone: settings.ignoreTimezone ? localZone : timezone,
      selection: joined(taskId, target),
      action,
      overlap: extras.overlapPolicy ?? 'allow',
      misfire: extras.misfirePolicy ?? 'skip',
      jitterMs: extras.jitter ?? 0,
      ...occurrences,
      troubles: () => [
        ...new Set([
          ...[...(onlyOn ?? []), ...(notOn ?? [])].flatMap(calendars.troubles),
          ...(extras.window ?? []).flatMap(windows.troubles),
        ]),
      ],
    }
  }

  return {
    localZone,
    plan(values) {
      try {
        return { ok: true, plan: planOf(values) }
      } catch (error) {
        if (error instanceof Invalid) return { ok: false, problem: error.problem }
        throw error
      }
    },
    localNext: ({ cron }, after) => localClock.next(cron, after),
  }
}

const textOf = (value: unknown): string => (['string', 'number', 'boolean'].includes(typeof value) ? String(value) : '')

/** The text with a line of `^` below the wrong part, and why it is wrong. */
export function pointAt(text: string, { reason, at, length }: CronProblem): string {
  return `${text}\n${' '.repeat(at)}${'^'.repeat(Math.max(length, 1))} ${reason}`
}

/** '' when other members say what is done. */
function readTaskId({ qlikSenseTaskId }: ScheduleValues): string {
  const id = textOf(qlikSenseTaskId)
  if (id !== '' && !isGuid(id)) throw invalid('qlikSenseTaskId', id)
  return id
}

/** The body of a start request. */
function readTarget(body: unknown): StartSelection {
  const { taskIds, tags, customProperties, taskNames, match, keyValues, problems, unknown, selects } = parseStart(body)
  const texts = [
    ...problems.map((one) => (one.kind === 'taskId' ? `${one.value} is not a task id` : one.details)),
    ...unknown.map((name) => `${name} is unknown`),
    ...(selects ? [] : ['it selects nothing; give taskId, tag, customProperty or taskName']),
  ]
  if (texts.length > 0) throw invalid('target', texts.join('; '))
  return { taskIds, tags, customProperties, taskNames, match, keyValues }
}

function readExtras(values: ScheduleValues): z.output<ReturnType<typeof EXTRAS>> {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
  const result = EXTRAS().safeParse(given)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const [field = '', ...path] = issue!.path.map(String)
  throw invalid(field, `${path.length > 0 ? `${path.join('.')} ` : ''}${issueText(issue!)}`)
}

/** Among several possible forms the object form has the most useful problem. */
function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message
  const inner = issue.errors.flat().filter(({ code }) => code !== 'invalid_type')
  return inner[0]?.message ?? 'it has none of the possible forms'
}

function checkNames(field: string, names: readonly string[], known: { has(name: string): boolean }): void {
  const unknown = names.find((name) => !known.has(name))
  if (unknown !== undefined)
    throw invalid(field, `there is no ${field === 'window' ? 'window or ' : ''}calendar "${unknown}"`)
}

/** An entry of the configuration that a schedule names. */
export interface NamedBySchedule {
  readonly kind: 'calendar' | 'window' | 'destination'
  readonly name: string
}

/** [] for a schedule whose members cannot be read. */
export function namesInSchedule(values: ScheduleValues): NamedBySchedule[] {
  let extras: ReturnType<typeof readExtras>
  try {
    extras = readExtras(values)
  } catch {
    return []
  }
  const windows = extras.window ?? []
  const days = windows.flatMap((one) => (typeof one === 'string' ? [] : [...(one.on ?? []), ...(one.notOn ?? [])]))
  const calendars = [...(extras.onlyOn ?? []), ...(extras.notOn ?? []), ...days]
  return [
    ...calendars.map((name) => ({ kind: 'calendar' as const, name })),
    ...windows.flatMap((one) => (typeof one === 'string' ? [{ kind: 'window' as const, name: one }] : [])),
    ...(extras.action?.type === 'webhook' ? [{ kind: 'destination' as const, name: extras.action.destination }] : []),
  ]
}

/** Names of the calendars that do not allow the day; of `onlyOn` all, when it lies in none of them. */
function calendarsAgainst(
  calendars: Calendars,
  { onlyOn, notOn = [] }: Pick<z.output<ReturnType<typeof EXTRAS>>, 'onlyOn' | 'notOn'>,
  day: Day,
): readonly string[] {
  const contains = (name: string) => calendars.contains(name, day)
  return [...notOn.filter(contains), ...(onlyOn && !onlyOn.some(contains) ? onlyOn : [])]
}

function joined(taskId: string, target: StartSelection | null): StartSelection {
  const { taskIds, ...others } = target ?? NOTHING
  return { ...others, taskIds: taskId === '' ? taskIds : [taskId, ...taskIds] }
}

/** `at 06:00, Monday to Friday (Europe/Stockholm)`. */
export const planText = ({ cron, timezone }: Plan): string => describeCron(cron, timezone)

const BUTLER_MEMBERS = [
  'id',
  'name',
  'created',
  'cronSchedule',
  'timezone',
  'qlikSenseTaskId',
  'startupState',
  'lastKnownState',
  'tags',
] as const

const KNOWN: readonly string[] = [...BUTLER_MEMBERS, ...EXTRA_MEMBERS]

export interface UnknownMember {
  readonly member: string
  /** `did you mean notOn?` */
  readonly hint: string
}

export function unknownMembers(values: ScheduleValues): UnknownMember[] {
  return Object.keys(values)
    .filter((member) => !KNOWN.includes(member))
    .map((member) => {
      const meant = nearest(member, KNOWN)
      return { member, hint: meant ? `did you mean ${meant}?` : `schedules know ${KNOWN.join(', ')}` }
    })
}
