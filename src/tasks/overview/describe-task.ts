/** Facts about one task from the history, the triggers of Qlik Sense and Footman's schedules. */
import type { TaskInfo } from '../executions/contract.ts'
import { isoOf } from '../executions/status.ts'
import { taskState } from '../executions/store.ts'
import { parseDue } from '../safety-net/config-policies.ts'
import { planText } from '../schedule/plan.ts'
import type { TaskDetail, Trigger } from './contract.ts'
import { dueAt, usualDistance } from './due.ts'
import type { TimelineRouteDeps } from './http-timeline.ts'
import { failingSince, liveEta } from './queries.ts'
import type { SiteTask, Triggers } from './site.ts'
import { lastPlanned, nameOf, type PlanSettings, tasksOf } from './timeline.ts'
import { instantsOf, isBroken, textOfSchema } from './triggers.ts'

const DAY_MS = 86_400_000
const NEXT = 5
const AHEAD_MS = 70 * DAY_MS
const BACK_MS = 60 * DAY_MS
/** Runs from which the usual end is learnt. */
const RUNS = 30
const EARLY_MS = 2 * 60_000

type Deps = Omit<TimelineRouteDeps, 'maintenance'>

/** The execution under way, else the last outcome in the history; null without one. */
export const stateNow = ({ db, site }: Pick<Deps, 'db' | 'site'>, taskId: string): TaskDetail['state'] =>
  site.last.running.find((one) => one.taskId === taskId)?.state ?? taskState(db, taskId)?.lastOutcome ?? null

/** The last state of the site is enough: nothing is asked of Qlik Sense. */
export async function describeTask(
  deps: Deps,
  settings: PlanSettings,
  taskId: string,
): Promise<Omit<TaskDetail, keyof TaskInfo | 'stale'>> {
  const { db, site, reader, clock } = deps
  const now = clock.now()
  const { tasks, triggers, running } = site.last
  const live = running.find((one) => one.taskId === taskId)
  const task = tasks.get(taskId)
  const asked = { taskId, taskType: task?.type ?? live?.taskType ?? null }
  const { usual } = await reader.ask({
    kind: 'usual',
    tasks: [
      { ...asked, plannedAt: null },
      { ...asked, plannedAt: live?.since ?? null },
    ],
    now,
    timezone: settings.timezone,
  })
  const { own, usualMs, samples, basis } = usual[0]!
  const eta = live && liveEta(live, usual[1]!, now)
  const state = taskState(db, taskId)
  const isFailing = state?.lastOutcome === 'failed' || state?.lastOutcome === 'aborted'
  return {
    state: stateNow(deps, taskId),
    runningExecution:
      live && eta
        ? {
            executionId: live.executionId,
            state: live.state,
            startedAt: isoOf(live.since),
            expectedEnd: isoOf(eta.expectedEnd),
            pessimisticEnd: isoOf(eta.pessimisticEnd),
            over: eta.over,
            overByMs: eta.overByMs,
          }
        : null,
    usual: {
      usualMs,
      p50Ms: own?.p50Ms ?? null,
      p90Ms: own?.p90Ms ?? null,
      p95Ms: own?.p95Ms ?? null,
      waitP50Ms: own?.waitP50Ms ?? null,
      samples,
      basis,
    },
    triggers: [
      ...timeTriggers(deps, triggers, taskId, now),
      ...schedulesOf(deps, tasks, taskId, now),
      ...gatesOf(triggers, tasks, taskId),
    ],
    followedBy: followers(triggers, tasks, taskId),
    ...policiesOf(deps, task),
    due: await dueOf(deps, settings, task, triggers),
    consecutiveFailures: state?.consecutiveFailures ?? 0,
    lastSuccessAt: isoOf(state?.lastSuccessAt ?? null),
    failingSince: state && isFailing ? isoOf(failingSince(db, state)) : null,
  }
}

function policiesOf(
  { policies }: Deps,
  task: SiteTask | undefined,
): Pick<TaskDetail, 'retryPolicy' | 'watchPolicy' | 'dueBy' | 'policySources'> {
  const retry = task && policies.retryOf(task)
  const watch = task && policies.watchOf(task)
  const due = task && policies.dueOf(task)
  return {
    retryPolicy: retry?.text ?? null,
    watchPolicy: watch?.text ?? null,
    dueBy: [...(due?.value ?? [])],
    policySources: { retry: retry?.from ?? null, watch: watch?.from ?? null, dueBy: due?.from ?? null },
  }
}

const NO_GATE = { rules: [], withinMs: null, broken: false } as const

function timeTriggers({ site }: Deps, { times }: Triggers, taskId: string, now: number): Trigger[] {
  return times
    .filter((event) => event.taskId === taskId)
    .map((event) => {
      const offsets = site.offsets(event.timezone)
      return {
        id: event.id,
        kind: 'time',
        source: 'qlik',
        name: event.name,
        enabled: event.enabled,
        text: textOfSchema(event, offsets),
        timezone: event.timezone,
        next: instantsOf(event, offsets, now, now + AHEAD_MS)
          .slice(0, NEXT)
          .map(isoOf),
        ...NO_GATE,
      }
    })
}

function schedulesOf(
  { schedules }: Deps,
  tasks: ReadonlyMap<string, SiteTask>,
  taskId: string,
  now: number,
): Trigger[] {
  return schedules.list().flatMap((schedule) => {
    const { id, plan, running } = schedule
    if (!plan || !tasksOf(schedule, tasks).includes(taskId)) return []
    return {
      id,
      kind: 'time',
      source: 'footman',
      name: nameOf(schedule),
      enabled: running,
      text: planText(plan),
      timezone: plan.timezone,
      next: running ? plan.coming(now, NEXT).map(isoOf) : [],
      ...NO_GATE,
    }
  })
}

function gatesOf({ gates }: Triggers, tasks: ReadonlyMap<string, SiteTask>, taskId: string): Trigger[] {
  return gates
    .filter((gate) => gate.taskId === taskId)
    .map((gate) => {
      const { id, name, enabled, withinMs } = gate
      const rules = gate.rules.map((rule) => ({ ...rule, taskName: tasks.get(rule.taskId)?.name ?? rule.taskName }))
      const words = rules.map((rule) => `${rule.on} of ${rule.taskName || 'a task that is gone'}`)
      return {
        id,
        kind: 'gate',
        source: 'qlik',
        name,
        enabled,
        text: `after ${words.join(' and ')}`,
        timezone: null,
        next: [],
        rules,
        withinMs,
        broken: isBroken(gate, (one) => tasks.size === 0 || tasks.has(one)),
      }
    })
}

function followers(
  { after }: Triggers,
  tasks: ReadonlyMap<string, SiteTask>,
  taskId: string,
): TaskDetail['followedBy'] {
  const refOf = (id: string, name: string) => ({ taskId: id, taskName: tasks.get(id)?.name ?? name })
  return (after.get(taskId) ?? [])
    .filter(({ enabled }) => enabled)
    .map((gate) => ({
      ...refOf(gate.taskId, gate.taskName),
      on: gate.rules.find((rule) => rule.taskId === taskId)?.on ?? 'success',
      alsoNeeds: gate.rules.filter((rule) => rule.taskId !== taskId).map((rule) => refOf(rule.taskId, rule.taskName)),
    }))
}

/** When the run of the last planned start is due; null without a planned start within a day, or without a rule. */
async function dueOf(
  deps: Deps,
  { timezone }: PlanSettings,
  task: SiteTask | undefined,
  triggers: Triggers,
): Promise<TaskDetail['due']> {
  const { site, clock, policies } = deps
  const planned = task ? lastPlanned(site, triggers, task.id, clock.now()) : null
  if (!task || planned === null) return null
  const { value: texts, from } = policies.dueOf(task)
  const wanted = dueAt(
    texts.flatMap((text) => parseDue(text) ?? []),
    planned,
    site.offsets(timezone),
  )
  const kind = from?.kind === 'policy' ? 'policy' : 'property'
  if (wanted !== null) return { at: isoOf(wanted), kind, plannedAt: isoOf(planned) }
  const distance = usualDistance(await distances(deps, triggers, task.id))
  return distance === null ? null : { at: isoOf(planned + distance), kind: 'usual', plannedAt: isoOf(planned) }
}

/** From the planned starts of a task with time triggers to the ends of its last successful runs. */
async function distances({ site, reader, clock }: Deps, { times }: Triggers, taskId: string): Promise<number[]> {
  const now = clock.now()
  const instants = times
    .filter((event) => event.taskId === taskId)
    .flatMap((event) => instantsOf(event, site.offsets(event.timezone), now - BACK_MS, now))
  const { strips } = await reader.ask({ kind: 'strips', taskIds: [taskId], n: RUNS })
  return (strips[taskId] ?? []).flatMap(({ outcome, stoppedAt, runMs, queueMs }) => {
    if (outcome !== 'success' || runMs === null) return []
    const began = stoppedAt - runMs - (queueMs ?? 0)
    const before = instants.filter((at) => at <= began + EARLY_MS && at > began - DAY_MS)
    return before.length === 0 ? [] : stoppedAt - Math.max(...before)
  })
}
