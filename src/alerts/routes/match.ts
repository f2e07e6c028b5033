/** A match of the configuration as a pure question about an event. */

import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { MatchConfig } from '../config-routes.ts'
import { FIELDS, type FieldContext } from './fields.ts'
import { isGood } from './subjects.ts'
import { allHold, anyHolds, type FieldResult, type FieldTest, UNKNOWN, type Verdict } from './verdict.ts'

export interface EventMatch {
  /** Only events of these types and outcomes can match. */
  readonly types: readonly EventType[]
  readonly outcomes: readonly EventOutcome[]
  readonly needs: readonly Need[]
  /** `at` is the time of the event, milliseconds since 1970. */
  test(event: TaskEvent, at: number): Verdict
  /** The same, field by field. */
  explain(event: TaskEvent, at: number): readonly FieldResult[]
}

export type { FieldContext } from './fields.ts'

/** What an alert is about when nobody says otherwise. */
const BAD_OUTCOMES: readonly EventOutcome[] = EVENT_OUTCOMES.filter((outcome) => !isGood(outcome))

/** All given fields must hold. `outcomes` stand where the match names none. Throws for expressions that cannot be compiled. */
export function compileMatch(
  match: MatchConfig,
  context: FieldContext,
  outcomes: readonly EventOutcome[] = BAD_OUTCOMES,
): EventMatch {
  const types = match.type ?? EVENT_TYPES
  const wantedOutcomes = match.outcome ?? outcomes
  const fields = [...kindFields(match, types, wantedOutcomes), ...otherFields(match, context)]
  const results = (event: TaskEvent, at: number) => fields.map((field) => resultOf(field, event, at))
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

/** A field that fails over odd data is not known: rather one alert too many. */
function resultOf({ field, wanted, test }: FieldTest, event: TaskEvent, at: number): FieldResult {
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
  if (!match.type) return [outcome]
  const type: FieldTest = {
    field: 'type',
    wanted: types.join(', '),
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

/** Several matches, of which any is enough. */
export function compileMatches(
  matches: readonly MatchConfig[] | undefined,
  context: FieldContext,
  outcomes?: readonly EventOutcome[],
): readonly EventMatch[] {
  return (matches ?? []).map((match) => compileMatch(match, context, outcomes))
}

export function testMatches(matches: readonly EventMatch[], event: TaskEvent, at: number): Verdict {
  return anyHolds(matches.map((match) => match.test(event, at)))
}
