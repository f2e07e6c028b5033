/** Conditions of runs, reports and cycle values: rules on data, reloads, tasks, calendar, key-value pairs and files. */
import { createHash } from 'node:crypto'
import { errorText } from '../platform/errors.ts'
import { EngineError } from '../qlik/engine/errors.ts'
import { withinCalendar } from './calendar-rule.ts'
import { ReportError } from './codes.ts'
import {
  cellOfScalar,
  comparableTo,
  compare,
  NULL_CELL,
  neededNumber,
  operandsOf,
  type Scalar,
  scalarOf,
} from './compare.ts'
import { dayIn } from './data/dates.ts'
import type { UnlimitedData } from './data/index.ts'
import { isEngineLost } from './data/retry.ts'
import type { Operand, ReportCondition, Rule, RuleOf } from './entities/condition.ts'
import type { RuleResult } from './runs/contract.ts'
import { tableHash, valuesHash } from './table-hash.ts'
import type { Cell, ReportData, Table, Warn } from './types.ts'

/** The last executions of a Qlik task. */
export interface TaskState {
  /** For the result: `FinishedSuccess`, `Started`, ... */
  readonly status: string
  readonly running: boolean
  /** The last execution that ended; null when there is none. */
  readonly last: { readonly outcome: 'succeeded' | 'failed' | 'aborted'; readonly finishedAt: Date } | null
}

/** Facts that are not in the app. Functions reject when the fact cannot be found out; then `onError` decides. */
export interface ConditionFacts {
  taskState(taskId: string): Promise<TaskState>
  /** Null when there is no such pair. */
  keyValue(namespace: string, key: string): Promise<string | null>
  /** A file under a storage space; null when it does not exist. */
  file(spaceId: string, path: string): Promise<{ readonly modifiedAt: Date } | null>
  /** Start of the last run that delivered something; null before the first. */
  lastRun(): Promise<Date | null>
}

/** Values of a rule that are kept from run to run, under a key of its definition. */
interface RuleState {
  readonly hash?: string
  readonly value?: Scalar
}

/** Kept for (task, key of the report, cycle values, condition). Plain JSON. */
export interface ConditionState {
  /** Whether the rules held, before `fire`. */
  readonly met: boolean
  readonly rules: Readonly<Record<string, RuleState>>
}

interface ConditionContext {
  /** The app under the active filters (`AppliedData.unlimited`); asked for by the first rule that needs it. */
  readonly data: () => Promise<UnlimitedData>
  readonly facts: ConditionFacts
  /** Null at the first run. */
  readonly previous: ConditionState | null
  /** Start of the run. */
  readonly now: Date
  readonly timezone: string
  readonly warn: Warn
}

export interface ConditionResult {
  /** Whether the condition counts as met, with `fire` and `onError`. */
  readonly met: boolean
  readonly rules: readonly RuleResult[]
  /** The state to keep when the run delivered something. */
  readonly delivered: ConditionState
  /** The state to keep when it did not: a condition that became false must be able to become true again. */
  readonly notDelivered: ConditionState | null
}

interface Evaluated extends Omit<RuleResult, 'type'> {
  readonly keep?: RuleState
}

type Evaluate<Type extends Rule['type']> = (
  rule: RuleOf<Type>,
  context: ConditionContext,
  before: RuleState | undefined,
) => Promise<Evaluated>

/**
 * Evaluates all rules in their order. Rejects with `CONDITION_ERROR` when a rule fails and `onError` says so, and with
 * `ENGINE_UNREACHABLE` when the engine is lost, so that the caller can retry. Test and dry runs keep no state.
 */
export async function evaluateCondition(
  condition: ReportCondition,
  context: ConditionContext,
): Promise<ConditionResult> {
  const { previous } = context
  const rules: RuleResult[] = []
  const kept: Record<string, RuleState> = {}
  for (const rule of condition.rules) {
    const key = keyOf(rule)
    const before = previous?.rules[key]
    const { keep = before, ...result } = await evaluateRule(rule, context, before)
    rules.push({ type: rule.type, ...result })
    if (keep) kept[key] = keep
  }
  const failed = rules.findIndex(({ error }) => error !== undefined)
  if (failed >= 0) return afterError(condition, context, { rules, kept, failed })

  const isMet = ({ met }: RuleResult) => met
  const holds = condition.match === 'all' ? rules.every(isMet) : rules.some(isMet)
  const met = holds && (condition.fire === 'always' || previous?.met !== true)
  const delivered = { met: holds, rules: kept }
  const notDelivered = holds ? previous : { met: false, rules: previous?.rules ?? {} }
  return { met, rules, delivered, notDelivered }
}

const keyOf = (rule: Rule): string => createHash('sha256').update(JSON.stringify(rule)).digest('hex').slice(0, 16)

async function evaluateRule(rule: Rule, context: ConditionContext, before: RuleState | undefined): Promise<Evaluated> {
  try {
    return await (RULES[rule.type] as Evaluate<Rule['type']>)(rule, context, before)
  } catch (error) {
    if (isEngineLost(error) || (error instanceof EngineError && error.kind === 'aborted')) throw error
    return { met: false, error: errorText(error) }
  }
}

interface Failed {
  readonly rules: readonly RuleResult[]
  readonly kept: Readonly<Record<string, RuleState>>
  readonly failed: number
}

function afterError(condition: ReportCondition, { previous, warn }: ConditionContext, result: Failed): ConditionResult {
  const { rules, kept, failed } = result
  const rule = rules[failed]
  const details = `${condition.name}: rule ${failed + 1} (${rule?.type}): ${rule?.error}`
  if (condition.onError === 'error') throw new ReportError('CONDITION_ERROR', details)
  warn('CONDITION_SKIPPED_ON_ERROR', details)
  const delivered = { met: previous?.met ?? false, rules: kept }
  return { met: condition.onError === 'proceed', rules, delivered, notDelivered: previous }
}

const RULES: { readonly [Type in Rule['type']]: Evaluate<Type> } = {
  async value({ left, op, right, right2 }, context, before) {
    const kept = cellOfScalar(before?.value ?? null)
    const first = await operandValue(left, context, kept)
    const previous = comparableTo(first, kept)
    const [second, third] = [
      await operandValue(right, context, previous),
      await operandValue(right2, context, previous),
    ]
    const given = [right, right2].filter((operand) => operand !== undefined).length
    if (given < operandsOf(op)) throw new Error(`${op} needs ${operandsOf(op) === 2 ? 'right and right2' : 'right'}`)
    const usesPrevious = [left, right, right2].some((operand) => operand && 'previous' in operand)
    return {
      met: compare(op, first, second, third),
      left: scalarOf(first),
      ...(right ? { right: scalarOf(second) } : {}),
      ...(right2 ? { right2: scalarOf(third) } : {}),
      ...(usesPrevious ? { previous: scalarOf(previous) } : {}),
      keep: { value: scalarOf(first) },
    }
  },

  async rowCount({ of, op, count }, { data }) {
    if (operandsOf(op) === 2) throw new Error(`${op} needs two numbers`)
    const { totalRows } = await tableOf(of, await data())
    return { met: compare(op, cellOfScalar(totalRows), cellOfScalar(count)), left: totalRows, right: count }
  },

  async dataChanged({ of, ignoreOrder }, { data }, before) {
    const hash = await hashOf(of, ignoreOrder, await data())
    return { met: hash !== before?.hash, left: hash, previous: before?.hash ?? null, keep: { hash } }
  },

  async changedBy({ expr, atLeast, unit, direction }, { data }, before) {
    const value = await (await data()).evaluate(expr)
    const left = value.text === '' && value.number === null ? null : neededNumber(value)
    const previous = typeof before?.value === 'number' ? before.value : null
    if (left === null) return { met: false, left, previous }
    const keep = { value: left }
    if (previous === null) return { met: true, left, previous, change: null, keep }
    const moved = left - previous
    if (unit === 'percent' && previous === 0) return { met: moved !== 0, left, previous, change: null, keep }
    const change = unit === 'percent' ? (moved / Math.abs(previous)) * 100 : moved
    const size = { any: Math.abs(change), up: change, down: -change }[direction]
    // 84 is 20 percent above 70, regardless of the last bit of the division.
    const met = size >= atLeast - Math.abs(atLeast) * 1e-9
    return { met, left, previous, change: Math.round(change * 100) / 100, keep }
  },

  async lastReload({ is, minutes }, { data, facts, now, timezone }) {
    const { lastReload } = (await data()).app
    if (!lastReload) return { met: false, left: null }
    const left = lastReload.toISOString()
    if (is === 'today') return { met: dayIn(lastReload, timezone) === dayIn(now, timezone), left }
    if (is === 'sinceLastRun') return { left, ...(await isAfterLastRun(lastReload, facts)) }
    if (minutes === undefined) throw new Error('withinMinutes needs minutes')
    return { met: now.getTime() - lastReload.getTime() <= minutes * 60_000, left, right: minutes }
  },

  async taskState({ taskId, is, since }, { facts, now, timezone }) {
    const { status, running, last } = await facts.taskState(taskId)
    if (is === 'notRunning') return { met: !running, left: status }
    if (last?.outcome !== is) return { met: false, left: status }
    if (since === 'today') return { met: dayIn(last.finishedAt, timezone) === dayIn(now, timezone), left: status }
    if (since === 'lastRun') return { left: status, ...(await isAfterLastRun(last.finishedAt, facts)) }
    return { met: true, left: status }
  },

  async calendar({ allow }, { now, timezone }) {
    return withinCalendar(allow, now, timezone)
  },

  async keyValue({ namespace, key, op, value }, { facts }) {
    if (operandsOf(op) === 2) throw new Error(`${op} needs two values`)
    if (operandsOf(op) === 1 && value === undefined) throw new Error(`${op} needs value`)
    const left = await facts.keyValue(namespace, key)
    const met = compare(op, cellOfScalar(left), cellOfScalar(value ?? null))
    return { met, left, ...(value === undefined ? {} : { right: value }) }
  },

  async file({ spaceId, path, is }, { facts }) {
    const found = await facts.file(spaceId, path)
    if (!found) return { met: false, left: null }
    const left = found.modifiedAt.toISOString()
    return is === 'exists' ? { met: true, left } : { left, ...(await isAfterLastRun(found.modifiedAt, facts)) }
  },
}

/** Everything counts as new before the first run that delivered. */
async function isAfterLastRun(instant: Date, facts: ConditionFacts) {
  const last = await facts.lastRun()
  return { met: last === null || instant > last, previous: last?.toISOString() ?? null }
}

async function operandValue(operand: Operand | undefined, { data }: ConditionContext, previous: Cell): Promise<Cell> {
  if (!operand) return NULL_CELL
  if ('const' in operand) return cellOfScalar(operand.const)
  if ('previous' in operand) return previous
  if ('expr' in operand) return (await data()).evaluate(operand.expr)
  if ('variable' in operand) return (await data()).variable(operand.variable)
  return kpi(operand.kpi, await data())
}

/** The total of the first measure of an object. */
async function kpi(objectId: string, data: ReportData): Promise<Cell> {
  const { table } = await data.object(objectId, { totals: true })
  const index = table?.columns.findIndex(({ kind }) => kind === 'measure') ?? -1
  const value = table?.totals?.[index]
  if (!value) throw new Error(`the object "${objectId}" has no measure`)
  return value
}

type RowsOf = RuleOf<'rowCount'>['of']

async function tableOf(of: RowsOf, data: ReportData): Promise<Table> {
  if ('table' in of) return data.table({ columns: of.table })
  const { table } = await data.object(of.objectId)
  if (!table) throw new Error(`the object "${of.objectId}" holds no table`)
  return table
}

async function hashOf(of: RuleOf<'dataChanged'>['of'], ignoreOrder: boolean, data: ReportData): Promise<string> {
  if (!('expressions' in of)) return tableHash(await tableOf(of, data), ignoreOrder)
  const values: Cell[] = []
  for (const expression of of.expressions) values.push(await data.evaluate(expression))
  return valuesHash(of.expressions, values)
}
