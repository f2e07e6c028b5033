/** Schedules of report tasks: cron expressions and single instants, and those that passed while Footman was down. */

import { type CronExpression, createCronEngine, parseCron } from '../../platform/cron.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createOffsets } from '../../platform/offsets.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { createZoneClock, missedFirings, type Recurrence, type ZoneClock } from '../../platform/zone-clock.ts'
import type { ReportTask, Trigger, TriggerOf } from '../entities/task.ts'
import { DEFAULT_OPTIONS } from '../runs/admission.ts'
import type { Ledger } from '../runs/ledger.ts'
import { type Armed, type ArmedTriggers, identityOf } from './armed.ts'

type Schedule = TriggerOf<'schedule'>

/** The instants of a schedule within its window. */
type Recurrences = (trigger: Schedule) => Recurrence

export function createRecurrences(defaultZone: string): Recurrences {
  const engine = createCronEngine()
  const zones = new Map<string, ZoneClock>()
  const expressions = new Map<string, CronExpression | null>()

  function clockOf(zone: string): ZoneClock {
    const known = zones.get(zone) ?? createZoneClock(createOffsets(zone), engine)
    zones.set(zone, known)
    return known
  }

  function expressionOf(cron: string): CronExpression | null {
    const known = expressions.get(cron)
    if (known !== undefined) return known
    const parsed = parseCron(cron, 1)
    expressions.set(cron, parsed.ok ? parsed.value : null)
    return parsed.ok ? parsed.value : null
  }

  return ({ cron, once, everyTimeOnce, start, end, timezone = defaultZone }) => {
    const from = start === null ? Number.NEGATIVE_INFINITY : Date.parse(start) - 1
    const until = end === null ? Number.POSITIVE_INFINITY : Date.parse(end)
    const single = once === undefined ? null : Date.parse(once)
    const expression = cron === undefined ? null : expressionOf(cron)
    return {
      next(after) {
        const least = Math.max(after, from)
        const recurring = expression && clockOf(timezone).next(expression, least, everyTimeOnce)
        const instants = [recurring, single].filter((at): at is number => at !== null && at > least && at < until)
        return instants.length === 0 ? null : Math.min(...instants)
      },
      excluded: () => null,
    }
  }
}

/** Firings of one task that are looked at. */
const MOST_FIRINGS = 3000

/** The firings of the schedules of a task in (from, to], milliseconds since 1970. */
export function firingsOf(task: ReportTask, recurrences: Recurrences, from: number, to: number): number[] {
  const found: number[] = []
  let at = nextRunOf(task, recurrences, from)
  while (at !== null && at <= to && found.length < MOST_FIRINGS) {
    found.push(at)
    at = nextRunOf(task, recurrences, at)
  }
  return found
}

/** The next instant of the schedules of a task, milliseconds since 1970; null without any, and for a disabled task. */
export function nextRunOf(task: ReportTask, recurrences: Recurrences, now: number): number | null {
  if (!task.enabled) return null
  const isSchedule = (one: Trigger): one is Schedule => one.type === 'schedule' && one.enabled
  const instants = task.triggers.filter(isSchedule).flatMap((one) => recurrences(one).next(now) ?? [])
  return instants.length === 0 ? null : Math.min(...instants)
}

interface ScheduleDeps {
  readonly armed: ArmedTriggers
  readonly recurrences: Recurrences
  readonly ledger: Pick<Ledger, 'add' | 'firedBefore' | 'markFired'>
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
}

export interface TriggerKind {
  /** The triggers have changed. */
  update(): void
  start(): void
  stop(): Promise<void>
}

/** While Footman runs, firings that are less late than this happen one by one. */
const GRACE_MS = 30_000
/** The clock of the computer may be set meanwhile. */
const LONGEST_WAIT_MS = 30_000
const RETRY_MS = 5000
const MINUTE_MS = 60_000

interface Entry {
  armed: Armed<Schedule>
  readonly recurrence: Recurrence
  nextAt: number | null
}

export function createScheduleTriggers(deps: ScheduleDeps): TriggerKind {
  const { armed, recurrences, ledger, writer, clock, log } = deps
  let entries: readonly Entry[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let working: Promise<void> = Promise.resolve()
  let active = false

  function update(): void {
    const before = new Map(entries.map((entry) => [identityOf(entry.armed, ''), entry]))
    entries = armed.of('schedule').map((one) => {
      const old = before.get(identityOf(one, ''))
      if (old?.armed.definition === one.definition) return Object.assign(old, { armed: one })
      const recurrence = recurrences(one.trigger)
      return { armed: one, recurrence, nextAt: recurrence.next(armed.handledUntil(one)) }
    })
    wait()
  }

  function wait(): void {
    clearTimeout(timer)
    const instants = entries.flatMap(({ nextAt }) => nextAt ?? [])
    if (!active || entries.length === 0) return
    const ms = Math.min(Math.max(0, Math.min(...instants) - clock.now()), LONGEST_WAIT_MS)
    timer = setTimeout(tick, ms)
    timer.unref()
  }

  function tick(): void {
    const now = clock.now()
    for (const entry of entries) {
      // The clock was set back: instants fire by the new time, and those that have fired before are known by their key.
      if (armed.handledUntil(entry.armed) > now) enqueue(entry, () => rewind(entry, now))
      else if (entry.nextAt !== null && entry.nextAt <= now) due(entry, entry.nextAt, now)
    }
    wait()
  }

  function due(entry: Entry, first: number, now: number): void {
    entry.nextAt = entry.recurrence.next(now)
    enqueue(entry, async () => {
      if (now - first >= GRACE_MS) return catchUp(entry, now)
      for (let at: number | null = first; at !== null && at <= now; at = entry.recurrence.next(at)) {
        await fire(entry.armed, at)
        await armed.setHandled(entry.armed, at)
      }
    })
  }

  /** One after the other. A firing that cannot be stored is tried again. */
  function enqueue(entry: Entry, work: () => Promise<void>): void {
    working = working.then(work).catch((error: unknown) => {
      log.error(`REPORTTASK: the schedule of task="${entry.armed.task.name}" could not fire: ${String(error)}`)
      setTimeout(() => {
        entry.nextAt = entry.recurrence.next(armed.handledUntil(entry.armed))
        wait()
      }, RETRY_MS).unref()
    })
  }

  async function rewind(entry: Entry, now: number): Promise<void> {
    await armed.setHandled(entry.armed, now)
    entry.nextAt = entry.recurrence.next(now)
    wait()
  }

  const fire = (one: Armed<Schedule>, at: number) =>
    armed.fire(one, { key: new Date(at).toISOString(), at, detail: { dueAt: new Date(at).toISOString() } })

  /** Footman was down, or the computer slept: of the instants since then the newest fires when it is young enough. */
  async function catchUp({ armed: one, recurrence }: Entry, now: number): Promise<void> {
    const since = armed.handledUntil(one)
    const missed = missedFirings(recurrence, since, now)
    if (!missed) return
    const isYoung = now - missed.last < one.trigger.maxDelayMinutes * MINUTE_MS
    const count = missed.count - (isYoung ? 1 : 0)
    if (count > 0 && one.task.enabled) await recordMissed(one, { since, last: missed.last, count, now })
    if (isYoung) await fire(one, missed.last)
    await armed.setHandled(one, missed.last)
  }

  interface MissedInstants {
    readonly since: number
    /** The newest instant, which fires when it is young enough. */
    readonly last: number
    readonly count: number
    readonly now: number
  }

  async function recordMissed(one: Armed<Schedule>, { since, last, count, now }: MissedInstants): Promise<void> {
    const { task, triggerId } = one
    const until = new Date(last).toISOString()
    const key = `missed until ${until}`
    const isNew = await writer.write((tx) => {
      if (ledger.firedBefore(tx, identityOf(one, key)) !== null) return false
      const id = uuidV7(now)
      const detail = { missed: count, after: new Date(since).toISOString(), until }
      ledger.add(tx, {
        id,
        task,
        priority: task.run.priority,
        trigger: { type: 'schedule', triggerId, key, firedAt: new Date(now).toISOString(), detail },
        options: DEFAULT_OPTIONS,
        test: task.testMode.enabled,
        at: now,
        ended: { outcome: 'skipped', reason: 'MISSED_SCHEDULE', repeats: count },
      })
      ledger.markFired(tx, identityOf(one, key), id, now)
      return true
    })
    if (isNew) log.warn(`REPORTTASK: MISSED_SCHEDULE task="${task.name}" ${count} firings were missed, until ${until}`)
  }

  return {
    update,
    start() {
      active = true
      const now = clock.now()
      for (const entry of entries) {
        if (entry.nextAt === null || entry.nextAt > now) continue
        entry.nextAt = entry.recurrence.next(now)
        enqueue(entry, () => catchUp(entry, now))
      }
      wait()
    },
    async stop() {
      active = false
      clearTimeout(timer)
      await working
    },
  }
}
