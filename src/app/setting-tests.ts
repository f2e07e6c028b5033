/** Tests of a setting in a configuration that is not in use: see `POST /v4/settings/{kind}/{name}/test`. */
import type { Alerts } from '../alerts/index.ts'
import { certainTest } from '../alerts/rules/match.ts'
import { tryRule } from '../alerts/trial.ts'
import { refusal } from '../http/errors.ts'
import { dayOf, formatDay } from '../platform/calendar.ts'
import { createOffsets } from '../platform/offsets.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import type { SettingTest, SettingTestOf } from '../settings/contract.ts'
import type { SettingKind } from '../settings/kinds.ts'
import { isStoredIn } from '../settings/merge.ts'
import type { Overview } from '../tasks/overview/index.ts'
import { qrsTaskOf } from '../tasks/overview/site.ts'
import { compilePolicies, tasksOfPolicy } from '../tasks/safety-net/task-policies.ts'
import { type CalendarsDeps, readCalendars } from './calendars.ts'
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
  if (kind === 'calendar') return testCalendar(deps, time, footman.timezone, name)
  if (kind === 'window') return testWindow(deps, time, name)
  if (kind === 'policy') return testPolicy(deps, time, config, name)
  const rule = footman.alertRoutes.find((one) => one.name === name)
  if (kind !== 'rule' || !rule) throw refusal('SETTING_NOT_FOUND', `There is no ${kind} ${name}.`)
  return tryRule(deps, rule, time.windows)
}

type Time = Awaited<ReturnType<typeof readCalendars>>

const MOST = 12
const CALENDAR_DAYS = 3653

function testCalendar(
  { clock }: SettingTestDeps,
  { calendars }: Time,
  timezone: string,
  name: string,
): SettingTestOf<'calendar'> {
  const now = clock.now()
  const today = dayOf(now + createOffsets(timezone).at(now))
  const days: string[] = []
  for (let day = today; day < today + CALENDAR_DAYS && days.length < MOST; day += 1) {
    if (calendars.contains(name, day)) days.push(formatDay(day))
  }
  return { kind: 'calendar', days, troubles: [...calendars.troubles(name)] }
}

function testWindow({ clock }: SettingTestDeps, { windows }: Time, name: string): SettingTestOf<'window'> {
  const periods = windows.next(name, clock.now(), MOST)
  const iso = (at: number) => new Date(at).toISOString()
  return {
    kind: 'window',
    periods: periods.map(({ from, to }) => ({ from: iso(from), to: iso(to) })),
    troubles: [...windows.troubles(name)],
  }
}

const FIRST = 20

async function testPolicy(
  { overview }: SettingTestDeps,
  { windows }: Time,
  { footman }: Config,
  name: string,
): Promise<SettingTestOf<'policy'>> {
  const policies = compilePolicies(footman.taskPolicies, (matches) => certainTest(matches, { windows }))
  const index = policies.findIndex((one) => one.name === name)
  const policy = policies[index]
  if (!policy) throw refusal('SETTING_NOT_FOUND', `There is no policy ${name}.`)
  const { value, stale } = await overview.site.tasks()
  const tasks = [...(value?.values() ?? [])].map(qrsTaskOf)
  const covered = tasksOfPolicy(policy, tasks, policies.slice(0, index))
  return {
    kind: 'policy',
    tasks: covered.length,
    lookedAt: tasks.length,
    stale,
    first: covered.slice(0, FIRST).map(({ id, name, app }) => ({ id, name, app: app?.name ?? null })),
  }
}
