/** Tests of a setting in a configuration that is not in use: see `POST /v4/settings/{kind}/{name}/test`. */
import type { Alerts } from '../alerts/index.ts'
import { certainTest } from '../alerts/rules/match.ts'
import { tryRule } from '../alerts/trial.ts'
import { refusal } from '../http/errors.ts'
import { type Day, dayOf, formatDay, parseDay } from '../platform/calendar.ts'
import { createOffsets } from '../platform/offsets.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import type { CalendarDays, SettingTest, SettingTestOf, SettingTests, TestedTogether } from '../settings/contract.ts'
import type { SettingKind } from '../settings/kinds.ts'
import { isStoredIn } from '../settings/merge.ts'
import type { Overview } from '../tasks/overview/index.ts'
import { qrsTaskOf } from '../tasks/overview/site.ts'
import { compilePolicies, tasksOfPolicy } from '../tasks/safety-net/task-policies.ts'
import { type CalendarsDeps, type CalendarsInUse, readCalendars } from './calendars.ts'
import type { ChangedConfig } from './reload.ts'
import type { Config } from './schema.ts'

export interface SettingTestDeps extends CalendarsDeps {
  readonly db: Database
  readonly clock: Clock
  readonly alerts: Pick<Alerts, 'trySending'>
  readonly overview: Overview
}

interface Entry {
  readonly kind: SettingKind
  readonly name: string
}

export async function testSetting(
  deps: SettingTestDeps,
  { config, secrets, settings }: ChangedConfig,
  { kind, name }: Entry,
  signal: AbortSignal,
): Promise<SettingTest> {
  const { footman } = config
  const time = await readCalendars(deps, config)
  if (kind === 'destination') {
    const trial = { name, secrets, isStored: isStoredIn(settings), signal }
    return deps.alerts.trySending(time.windows, config, trial)
  }
  if (kind === 'calendar') return testCalendar(time, todayAt(deps.clock.now(), footman.timezone), name)
  if (kind === 'window') return testWindow(deps, time, name)
  if (kind === 'policy') {
    const index = footman.taskPolicies.findIndex((one) => one.name === name)
    if (index === -1) throw refusal('SETTING_NOT_FOUND', `There is no policy ${name}.`)
    return (await policyTest(deps, time, config))(index)
  }
  const rule = footman.alertRoutes.find((one) => one.name === name)
  if (kind !== 'rule' || !rule) throw refusal('SETTING_NOT_FOUND', `There is no ${kind} ${name}.`)
  return tryRule(deps, rule, time.windows)
}

type Time = Awaited<ReturnType<typeof readCalendars>>
type Looking = Pick<SettingTestDeps, 'clock' | 'overview'>

/** The tests of all entries that are in use. */
export async function testsInUse(
  deps: Looking,
  config: Config,
  time: Time,
  kind: TestedTogether,
): Promise<SettingTests['tests']> {
  const { footman } = config
  if (kind === 'policy') {
    const test = await policyTest(deps, time, config)
    return footman.taskPolicies.map(({ name }, n) => ({ name, found: test(n) }))
  }
  if (kind === 'window')
    return Object.keys(footman.windows).map((name) => ({ name, found: testWindow(deps, time, name) }))
  const today = todayAt(deps.clock.now(), footman.timezone)
  return Object.keys(footman.calendars).map((name) => ({ name, found: testCalendar(time, today, name) }))
}

/** Days of a calendar in a year; null without such a calendar. */
export function daysInYear(
  { clock }: Looking,
  { calendars, files }: CalendarsInUse,
  timezone: string,
  { name, year = yearAt(clock.now(), timezone) }: { readonly name: string; readonly year: number | undefined },
): CalendarDays | null {
  if (!calendars.has(name)) return null
  const days: CalendarDays['days'][number][] = []
  for (let day = parseDay(`${year}-01-01`)!; day <= parseDay(`${year}-12-31`)!; day += 1) {
    const from = calendars.reason(name, day)
    if (from !== null) days.push({ day: formatDay(day), from, name: files.nameOf(name, day) })
  }
  return { year, days, troubles: [...calendars.troubles(name)] }
}

const todayAt = (now: number, timezone: string) => dayOf(now + createOffsets(timezone).at(now))
const yearAt = (now: number, timezone: string): number => Number(formatDay(todayAt(now, timezone)).slice(0, 4))

const MOST = 12
const CALENDAR_DAYS = 3653

function testCalendar({ calendars }: Time, today: Day, name: string): SettingTestOf<'calendar'> {
  const days: string[] = []
  for (let day = today; day < today + CALENDAR_DAYS && days.length < MOST; day += 1) {
    if (calendars.contains(name, day)) days.push(formatDay(day))
  }
  return { kind: 'calendar', days, troubles: [...calendars.troubles(name)] }
}

function testWindow({ clock }: Looking, { windows }: Time, name: string): SettingTestOf<'window'> {
  const periods = windows.next(name, clock.now(), MOST)
  const iso = (at: number) => new Date(at).toISOString()
  return {
    kind: 'window',
    periods: periods.map(({ from, to }) => ({ from: iso(from), to: iso(to) })),
    troubles: [...windows.troubles(name)],
  }
}

const FIRST = 20

/** Tests policies by their place in the order. */
async function policyTest({ overview }: Looking, { windows }: Time, { footman }: Config) {
  const policies = compilePolicies(footman.taskPolicies, (matches) => certainTest(matches, { windows }))
  const { value, stale } = await overview.site.tasks()
  const tasks = [...(value?.values() ?? [])].map(qrsTaskOf)
  return (index: number): SettingTestOf<'policy'> => {
    const covered = tasksOfPolicy(policies[index]!, tasks, policies.slice(0, index))
    return {
      kind: 'policy',
      tasks: covered.length,
      lookedAt: tasks.length,
      stale,
      first: covered.slice(0, FIRST).map(({ id, name, app }) => ({ id, name, app: app?.name ?? null })),
    }
  }
}
