/** Holds back what a snooze is about. */

import { EVENT_OUTCOMES } from '../../events/kinds.ts'
import { storedJson } from '../../platform/sqlite.ts'
import { eventMatch } from '../config-routes.ts'
import type { FieldContext } from '../rules/fields.ts'
import { compileMatch, type EventMatch } from '../rules/match.ts'
import type { Hold, HoldNeeds } from '../types.ts'
import { activeSnoozes, countSuppressed } from './store.ts'

/** A match as it was stored; null when it cannot be read any more. */
function compileSnooze(match: string, context: FieldContext): EventMatch | null {
  const parsed = eventMatch.safeParse(storedJson<unknown>(match, null))
  return parsed.success ? compileMatch(parsed.data, context, EVENT_OUTCOMES) : null
}

export function createSnoozeHold(context: FieldContext): Hold {
  const compiled = new Map<string, EventMatch | null>()

  function matchOf(id: string, match: string): EventMatch | null {
    const known = compiled.get(id)
    if (known !== undefined) return known
    const made = compileSnooze(match, context)
    compiled.set(id, made)
    return made
  }

  return (db, { event, now }) => {
    const active = activeSnoozes(db, now)
    if (active.length === 0) {
      compiled.clear()
      return null
    }
    // What is not known does not hold anything back: rather one alert too many.
    const snooze = active.find(({ id, match }) => matchOf(id, match)?.test(event, event.receivedAt) === true)
    if (!snooze) return null
    countSuppressed(db, snooze.id)
    const reason = snooze.reason === '' ? '' : `: ${snooze.reason}`
    return { reason: 'SNOOZED', detail: `until ${new Date(snooze.until).toISOString()}${reason}` }
  }
}

/** What the snoozes that are on have to know about an event. */
export function snoozeNeeds(context: FieldContext): HoldNeeds {
  return (db, now) => activeSnoozes(db, now).flatMap(({ match }) => compileSnooze(match, context)?.needs ?? [])
}
