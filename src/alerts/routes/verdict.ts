/** What a field of a match says about an event. */
import type { Need, TaskEvent } from '../../events/types.ts'
import type { ExplainedField } from '../types.ts'

/** `unknown` = the data could not be read; it counts as holding in `match` and as not holding in `except`. */
export type Verdict = true | false | 'unknown'

export type FieldResult = ExplainedField

/** One compiled field of a match. */
export interface FieldTest {
  readonly field: string
  readonly wanted: string
  /** What has to be read from Qlik Sense for it. */
  readonly needs: readonly Need[]
  /** `at` is the time of the event, milliseconds since 1970. */
  test(event: TaskEvent, at: number): Finding
}

export interface Finding {
  readonly found: string | null
  readonly holds: Verdict
}

/** Texts of an event; `unknown` = could not be read, `none` = events of this type have no such thing. */
export type Texts = readonly string[] | 'unknown' | 'none'

export const UNKNOWN: Finding = { found: null, holds: 'unknown' }
export const NOTHING: Finding = { found: null, holds: false }

/** Holds when one of the texts passes. */
export function findText(texts: Texts, passes: (text: string) => boolean): Finding {
  if (texts === 'unknown') return UNKNOWN
  if (texts === 'none') return NOTHING
  return { found: texts.length > 0 ? texts.join(', ') : null, holds: texts.some(passes) }
}

/** All must hold: one that does not decides, then one that is not known. */
export function allHold(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = true
  for (const verdict of verdicts) {
    if (verdict === false) return false
    if (verdict === 'unknown') result = 'unknown'
  }
  return result
}

/** One that holds is enough. */
export function anyHolds(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = false
  for (const verdict of verdicts) {
    if (verdict === true) return true
    if (verdict === 'unknown') result = 'unknown'
  }
  return result
}
