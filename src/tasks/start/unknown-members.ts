/** Members of a start request that nobody knows: ignored, but a misspelt selector starts something else than was meant. */
import { distance, nearest } from '../../config/nearest.ts'
import type { ParsedStart } from './parsed.ts'

/** All that a request in the object form may hold. */
const KNOWN = ['taskId', 'tag', 'customProperty', 'taskName', 'match', 'keyValueStore'] as const

/**
 * One sentence for each member that looks like a misspelt one. When the request says nothing else (`selects`: a member
 * or the URL does), every unknown member has one.
 */
export function unknownMemberWarnings({ unknown }: Pick<ParsedStart, 'unknown'>, selects: boolean): string[] {
  return unknown.flatMap((name) => {
    const near = nearest(name, KNOWN)
    if (near !== undefined && distance(name.toLowerCase(), near.toLowerCase()) < name.length) {
      return [`unknown member "${name}" is ignored; did you mean ${near}?`]
    }
    return selects ? [] : [`unknown member "${name}" is ignored; known are ${KNOWN.join(', ')}`]
  })
}
