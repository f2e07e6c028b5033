/** Cycles of reports: their values, and the addresses that their expressions give. */
import type { ReportTask, ReportUse } from '../entities/task.ts'
import { type CycleValue, EvaluationError, type ReportData, type Selection } from '../types.ts'

export const selectionsOf = (cycle: readonly CycleValue[]): Selection[] =>
  cycle.map(({ field, value }) => ({ field, values: [value] }))

/** All combinations of possible values, in the order of the fields. */
export async function cycleValues(data: ReportData, fields: readonly string[]): Promise<CycleValue[][]> {
  const [field, ...rest] = fields
  if (field === undefined) return [[]]
  const found: CycleValue[][] = []
  for (const value of await data.fieldValues(field)) {
    const head: CycleValue = { field, value }
    const tails =
      rest.length === 0 ? [[]] : await data.within(selectionsOf([head]), (inner) => cycleValues(inner, rest))
    found.push(...tails.map((tail) => [head, ...tail]))
  }
  return found
}

/** Results of the expressions of a cycle by channel: texts or addresses. */
export interface Addressed<Value> {
  readonly mail: Value
  readonly hub: Value
}

/** The expressions of a use that name people; null where the channel is off or has none. */
export function addressExpressions(
  { cycle, deliver }: ReportUse,
  { email, hub }: Pick<ReportTask, 'email' | 'hub'>,
): Addressed<string | null> {
  return {
    mail: email.enabled && deliver.email !== 'none' ? (cycle?.emailTo ?? null) : null,
    hub: hub.enabled && deliver.hub ? (cycle?.hubTo ?? null) : null,
  }
}

/** Texts of the expressions under the selections of `data`. Rejects with an `EvaluationError`. */
export async function addressTexts(
  data: ReportData,
  { mail, hub }: Addressed<string | null>,
): Promise<Addressed<string | null>> {
  const textOf = async (member: string, expression: string | null) =>
    expression === null ? null : (await inMember(`cycle.${member}`, () => data.evaluate(expression))).text
  return { mail: await textOf('emailTo', mail), hub: await textOf('hubTo', hub) }
}

/** An expression that cannot be calculated is reported with the member of the task in which it stands. */
export async function inMember<Result>(member: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error
    throw new EvaluationError(`${member}: ${error.message}`, { cause: error })
  }
}
