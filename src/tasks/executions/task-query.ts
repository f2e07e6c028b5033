/** The filters of the list of tasks, from the query of the call. */
import { invalidQuery, valuesParameter, wordsParameter } from '../../http/endpoint/list-query.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { OUTCOMES, STATES, TASK_TYPES } from './status.ts'
import type { TaskFilter } from './tasks.ts'

type Query = ApiRequest['query']

/** Throws 400 `VALIDATION`. */
export function readTaskFilter(query: Query): TaskFilter {
  const enabled = wordsParameter(query, 'enabled', ['true', 'false'])
  return {
    name: valuesParameter(query, 'name'),
    tag: valuesParameter(query, 'tag'),
    customProperty: valuesParameter(query, 'customProperty')?.map(propertyOf) ?? null,
    type: wordsParameter(query, 'type', TASK_TYPES),
    outcome: wordsParameter(query, 'outcome', OUTCOMES),
    state: wordsParameter(query, 'state', STATES),
    app: valuesParameter(query, 'app'),
    stream: valuesParameter(query, 'stream'),
    // Both words together do not limit.
    enabled: enabled === null || new Set(enabled).size > 1 ? null : enabled[0] === 'true',
  }
}

function propertyOf(text: string): { name: string; value: string } {
  const colon = text.indexOf(':')
  if (colon > 0) return { name: text.slice(0, colon), value: text.slice(colon + 1) }
  throw invalidQuery([{ path: 'customProperty', message: 'must be name:value' }])
}
