/** What the endpoints take in their queries and paths. */

import {
  cursorOf,
  cursorParameter,
  limitParameter,
  onlyParameters,
  textParameter,
  timeParameter,
  valuesParameter,
  wordsParameter,
} from '../../http/endpoint/list-query.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { DeliveryFilter } from './deliveries.ts'
import type { EventFilter } from './events.ts'
import * as words from './words.ts'

type Query = ApiRequest['query']

const PAGE = ['limit', 'cursor']
const EVENT_PARAMETERS = [
  ...['type', 'outcome', 'source', 'state', 'severity', 'taskId', 'appId', 'executionId', 'host', 'q', 'from', 'to'],
  ...PAGE,
]
const DELIVERY_PARAMETERS = [
  ...['eventId', 'state', 'reason', 'kind', 'destination', 'route', 'taskId', 'from', 'to'],
  ...PAGE,
]

/** Throws 400 `VALIDATION`. */
export function eventFilter(query: Query, now: number): EventFilter {
  onlyParameters(query, EVENT_PARAMETERS)
  return {
    type: wordsParameter(query, 'type', words.EVENT_TYPES),
    outcome: wordsParameter(query, 'outcome', words.EVENT_OUTCOMES),
    source: wordsParameter(query, 'source', words.EVENT_SOURCES),
    state: wordsParameter(query, 'state', words.EVENT_STATES),
    severity: wordsParameter(query, 'severity', words.SEVERITIES),
    taskId: valuesParameter(query, 'taskId'),
    appId: valuesParameter(query, 'appId'),
    executionId: valuesParameter(query, 'executionId'),
    host: valuesParameter(query, 'host'),
    q: textParameter(query, 'q') ?? null,
    from: timeParameter(query, 'from', now),
    to: timeParameter(query, 'to', now),
  }
}

/** Throws 400 `VALIDATION`. */
export function deliveryFilter(query: Query, now: number): DeliveryFilter {
  onlyParameters(query, DELIVERY_PARAMETERS)
  return {
    eventId: valuesParameter(query, 'eventId'),
    state: wordsParameter(query, 'state', words.DELIVERY_STATES),
    reason: wordsParameter(query, 'reason', words.DELIVERY_REASONS),
    kind: wordsParameter(query, 'kind', words.KINDS),
    destination: valuesParameter(query, 'destination'),
    route: valuesParameter(query, 'route'),
    taskId: valuesParameter(query, 'taskId'),
    from: timeParameter(query, 'from', now),
    to: timeParameter(query, 'to', now),
  }
}

export function pageOf(query: Query): { readonly before: number | null; readonly limit: number } {
  return { before: cursorParameter(query), limit: limitParameter(query) }
}

/** A page as it is answered: without the sequence numbers of its rows. */
export function listAnswer<Row extends { readonly seq: number }>(
  name: string,
  page: { readonly rows: readonly Row[]; readonly next: number | null },
): Readonly<Record<string, unknown>> {
  const rows = page.rows.map(({ seq, ...row }) => row)
  return { [name]: rows, nextCursor: page.next === null ? null : cursorOf(page.next) }
}

/** The id in the path, lower case. Throws 400 `INVALID_ID`. */
export function idOf({ id = '' }: ApiRequest['params']): string {
  if (isGuid(id)) return id.toLowerCase()
  throw refusal('INVALID_ID', `"${id}" is not an id: a UUID is expected.`)
}
