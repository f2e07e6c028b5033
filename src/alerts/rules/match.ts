/** `match` and `except` of the configuration as pure questions about an event. */

import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { MatchConfig } from '../config-routes.ts'
import type { RuleFilter } from '../types.ts'
import type { ComparedField } from './contract.ts'
import { FIELDS, type FieldContext, type FieldTest, UNKNOWN, type Verdict } from './fields.ts'
import { isGood } from './subjects.ts'

export interface EventMatch {
  /** Only events of these types and outcomes can match. */
  readonly types: readonly EventType[]
  readonly outcomes: readonly EventOutcome[]
  readonly needs: readonly Need[]
  /** `at` is the time of the event, milliseconds since 1970. */
  test(event: TaskEvent, at: number): Verdict
  /** The same, field by field. */
  explain(event: TaskEvent, at: number): readonly ComparedField[]
}

/** The events of a rule: its `match` without its `except`. */
export interface CompiledFilter extends RuleFilter {
  readonly when: { readonly types: EventMatch['types']; readonly outcomes: EventMatch['outcomes'] }
  readonly needs: readonly Need[]
}

/** An exception is about every outcome unless it names some: it only narrows what `match` has let through. */
export function compileFilter(
  rule: { readonly match?: readonly MatchConfig[] | undefined; readonly except?: readonly MatchConfig[] | undefined },
  context: FieldContext,
): CompiledFilter {
  const matches = compileMatches(rule.match?.length ? rule.match : [{}], context)
  const exceptions = compileMatches(rule.except, context, EVERYTHING)
  const all = [...matches, ...exceptions]
  return {
    when: {
      types: [...new Set(matches.flatMap(({ types }) => types))],
      outcomes: [...new Set(matches.flatMap(({ outcomes }) => outcomes))],
    },
    needs: [...new Set(all.flatMap(({ needs }) => needs))],
    matches: (event, at) => testMatches(matches, event, at) !== false && testMatches(exceptions, event, at) !== true,
    explain(event, at) {
      const verdict = testMatches(matches, event, at)
      const shown = matches.find((match) => match.test(event, at) === verdict) ?? matches[0]!
      const excepted = exceptions.find((exception) => exception.test(event, at) === true)
      const fields = [...shown.explain(event, at), ...exceptions.flatMap((one) => exceptFields(one, event, at))]
      if (verdict === false) return { matched: false, because: mismatch(shown.explain(event, at)), fields }
      if (!excepted) return { matched: true, because: null, fields }
      const names = excepted
        .explain(event, at)
        .filter(({ field }) => field !== 'outcome' || excepted.outcomes.length < EVENT_OUTCOMES.length)
      return {
        matched: false,
        because: `an exception holds: ${names.map(({ field }) => field).join(', ') || 'all events'}`,
        fields,
      }
    },
  }
}

function exceptFields(exception: EventMatch, event: TaskEvent, at: number): ComparedField[] {
  return exception.explain(event, at).map((result) => ({ ...result, field: `except.${result.field}` }))
}

function mismatch(fields: readonly ComparedField[]): string {
  return fields
    .filter(({ holds }) => holds === false)
    .map(({ field, wanted, found }) => `${field} is ${found === null ? 'not there' : `"${found}"`}, wanted ${wanted}`)
    .join('; ')
}

/** The events of a match that names no types or no outcomes. */
interface Kinds {
  readonly types: readonly EventType[]
  readonly outcomes: readonly EventOutcome[]
}

/** For what narrows or holds back. */
export const EVERYTHING: Kinds = { types: EVENT_TYPES, outcomes: EVENT_OUTCOMES }
/** For rules: bad news. Butler reports no reloads without a task, so that a rule has to ask for them. */
const REPORTED: Kinds = {
  types: EVENT_TYPES.filter((type) => type !== 'appReload'),
  outcomes: EVENT_OUTCOMES.filter((outcome) => !isGood(outcome)),
}

/** All given fields must hold. `kinds` is used where the match names none. Throws for expressions that cannot be compiled. */
export function compileMatch(match: MatchConfig, context: FieldContext, kinds: Kinds = REPORTED): EventMatch {
  const types = match.type ?? kinds.types
  const wantedOutcomes = match.outcome ?? kinds.outcomes
  const fields = [...kindFields(match, types, wantedOutcomes), ...otherFields(match, context)]
  // That a rule without types is not about every type is shown where it decides.
  const isShown = ({ field, holds }: ComparedField) => field !== 'type' || match.type !== undefined || holds !== true
  const results = (event: TaskEvent, at: number) => fields.map((field) => resultOf(field, event, at)).filter(isShown)
  return {
    types,
    outcomes: wantedOutcomes,
    needs: [...new Set(fields.flatMap(({ needs }) => needs))],
    test: (event, at) => allHold(verdicts(fields, event, at)),
    explain: results,
  }
}

function* verdicts(fields: readonly FieldTest[], event: TaskEvent, at: number): Iterable<Verdict> {
  for (const field of fields) yield resultOf(field, event, at).holds
}

/** A field that throws is unknown: a spurious alert is better than a missed one. */
function resultOf({ field, wanted, test }: FieldTest, event: TaskEvent, at: number): ComparedField {
  try {
    return { field, wanted, ...test(event, at) }
  } catch {
    return { field, wanted, ...UNKNOWN }
  }
}

function kindFields(
  match: MatchConfig,
  types: readonly EventType[],
  outcomes: readonly EventOutcome[],
): readonly FieldTest[] {
  const outcome: FieldTest = {
    field: 'outcome',
    wanted: outcomes.length === EVENT_OUTCOMES.length ? '*' : outcomesText(match, outcomes),
    needs: [],
    test: (event) => ({ found: event.outcome, holds: outcomes.includes(event.outcome) }),
  }
  if (types.length === EVENT_TYPES.length) return [outcome]
  const type: FieldTest = {
    field: 'type',
    wanted: match.type ? types.join(', ') : 'all but appReload',
    needs: [],
    test: (event) => ({ found: event.type, holds: types.includes(event.type) }),
  }
  return [type, outcome]
}

function outcomesText({ outcome }: MatchConfig, outcomes: readonly EventOutcome[]): string {
  return outcome ? outcomes.join(', ') : 'all but success, started, status, cleared'
}

function otherFields(match: MatchConfig, context: FieldContext): FieldTest[] {
  return Object.entries(FIELDS).flatMap(([field, compile]) => {
    const value = match[field as keyof typeof FIELDS]
    return value === undefined ? [] : [{ field, ...compile(value as never, context) }]
  })
}

/** A list of matches; one of them has to hold. */
export function compileMatches(
  matches: readonly MatchConfig[] | undefined,
  context: FieldContext,
  kinds?: Kinds,
): readonly EventMatch[] {
  return (matches ?? []).map((match) => compileMatch(match, context, kinds))
}

export function testMatches(matches: readonly EventMatch[], event: TaskEvent, at: number): Verdict {
  return anyHolds(matches.map((match) => match.test(event, at)))
}

/** Whether one of the matches holds for certain; without matches every event passes. Data that could not be read do not match. */
export function certainTest(
  matches: readonly MatchConfig[] | undefined,
  context: FieldContext,
): (event: TaskEvent, at: number) => boolean {
  const compiled = compileMatches(matches, context, EVERYTHING)
  return (event, at) => compiled.length === 0 || testMatches(compiled, event, at) === true
}

/** All must hold. One that does not hold decides, then one that is unknown. */
function allHold(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = true
  for (const verdict of verdicts) {
    if (verdict === false) return false
    if (verdict === 'unknown') result = 'unknown'
  }
  return result
}

/** One must hold. One that holds decides, then one that is unknown. */
function anyHolds(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = false
  for (const verdict of verdicts) {
    if (verdict === true) return true
    if (verdict === 'unknown') result = 'unknown'
  }
  return result
}
