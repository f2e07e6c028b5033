/** The conditions of a run, with the state that they keep from run to run. */
import { type ConditionFacts, type ConditionState, evaluateCondition } from '../conditions.ts'
import type { AppliedData } from '../data/index.ts'
import type { Definition } from '../entities/task.ts'
import type { CycleValue, Warn } from '../types.ts'
import type { CheckedCondition } from './contract.ts'

export interface GateSettings {
  readonly definition: Definition
  readonly facts: ConditionFacts
  /** Kept states, by key. */
  readonly states: Readonly<Record<string, unknown>>
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly timezone: string
  /** All conditions count as met and are not evaluated. */
  readonly ignore: boolean
  readonly warn: Warn
  readonly line: (text: string) => void
  /** Another app under the filters of the task that apply there, for conditions that are bound to it. */
  readonly elsewhere: (appId: string) => Promise<AppliedData>
}

export interface GateRequest {
  readonly ids: readonly string[]
  /** Key of the report; null for the conditions of the task. */
  readonly report: string | null
  readonly cycle: readonly CycleValue[]
  readonly appId: string
  /** The app of that id under the active filters; asked for by the first rule that needs it. */
  readonly applied: () => Promise<AppliedData>
}

/** States to keep, by key: of a run that delivered something, and of one that did not. */
export interface KeptStates {
  readonly delivered: Readonly<Record<string, ConditionState>>
  readonly notDelivered: Readonly<Record<string, ConditionState>>
}

export interface Gate {
  /** True when all of the conditions hold. Rejects with `CONDITION_ERROR` and the faults of the engine. */
  holds(request: GateRequest): Promise<boolean>
  readonly results: readonly CheckedCondition[]
  readonly states: KeptStates
}

export function createGate(settings: GateSettings): Gate {
  const { definition, facts, states, startedAt, timezone, ignore, warn, line, elsewhere } = settings
  /** By key: work that is repeated after a lost engine evaluates its conditions again. */
  const results = new Map<string, CheckedCondition>()
  const delivered: Record<string, ConditionState> = {}
  const notDelivered: Record<string, ConditionState> = {}

  return {
    get results() {
      return [...results.values()]
    },
    states: { delivered, notDelivered },
    async holds({ ids, report, cycle, appId, applied }) {
      if (ignore) return true
      let all = true
      for (const id of ids) {
        const condition = definition.conditions.find((one) => one.id === id)
        if (!condition) continue
        const key = JSON.stringify([definition.task.id, report, cycle.map(({ value }) => value.text), id])
        const result = await evaluateCondition(condition, {
          data: async () =>
            (await (condition.appId === null || condition.appId === appId ? applied() : elsewhere(condition.appId)))
              .unlimited,
          facts,
          previous: (states[key] as ConditionState | undefined) ?? null,
          now: new Date(startedAt),
          timezone,
          warn,
        })
        delivered[key] = result.delivered
        if (result.notDelivered) notDelivered[key] = result.notDelivered
        all &&= result.met
        const values = Object.fromEntries(cycle.map(({ field, value }) => [field, value.text]))
        const { name } = condition
        line(`condition "${name}"${place(report, cycle)} ${result.met ? 'met' : 'not met'}`)
        results.set(key, {
          conditionId: id,
          name,
          ...(report !== null && { report }),
          ...(cycle.length > 0 && { cycle: values }),
          met: result.met,
          rules: result.rules,
        })
      }
      return all
    },
  }
}

const place = (report: string | null, cycle: readonly CycleValue[]): string =>
  report === null ? '' : ` of ${[report, ...cycle.map(({ value }) => value.text)].join('/')}`
