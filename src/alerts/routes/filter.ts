/** Which events are for a route: its `match` without its `except`. */

import { EVENT_OUTCOMES } from '../../events/kinds.ts'
import type { Need, TaskEvent } from '../../events/types.ts'
import type { MatchConfig } from '../config-routes.ts'
import type { RouteFilter } from '../types.ts'
import { compileMatches, type EventMatch, type FieldContext, testMatches } from './match.ts'
import type { FieldResult } from './verdict.ts'

export interface CompiledFilter extends RouteFilter {
  readonly when: { readonly types: EventMatch['types']; readonly outcomes: EventMatch['outcomes'] }
  readonly needs: readonly Need[]
}

/** An exception is about every outcome unless it names some: it only narrows what `match` has let through. */
export function compileFilter(
  route: { readonly match?: readonly MatchConfig[] | undefined; readonly except?: readonly MatchConfig[] | undefined },
  context: FieldContext,
): CompiledFilter {
  const matches = compileMatches(route.match?.length ? route.match : [{}], context)
  const exceptions = compileMatches(route.except, context, EVENT_OUTCOMES)
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

function exceptFields(exception: EventMatch, event: TaskEvent, at: number): FieldResult[] {
  return exception.explain(event, at).map((result) => ({ ...result, field: `except.${result.field}` }))
}

function mismatch(fields: readonly FieldResult[]): string {
  return fields
    .filter(({ holds }) => holds === false)
    .map(({ field, wanted, found }) => `${field} is ${found === null ? 'not there' : `"${found}"`}, wanted ${wanted}`)
    .join('; ')
}
