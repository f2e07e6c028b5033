/** `/v4/history` and `/v4/history/summary`. */
import {
  keyCursorOf,
  limitParameter,
  numberCursorParameter,
  onlyParameters,
  textParameter,
  timeParameter,
  valuesParameter,
  wordsParameter,
} from '../../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../../http/endpoint/route.ts'
import type { Clock } from '../../../platform/types.ts'
import { OUTCOMES, TASK_TYPES } from '../status.ts'
import {
  HISTORY_DESCRIPTION,
  LIST_PARAMETER_NAMES,
  SUMMARY_DESCRIPTION,
  SUMMARY_PARAMETER_NAMES,
} from './description.ts'
import type { HistoryReader } from './reader.ts'
import { GROUPINGS, type HistoryFilter, type HistoryPosition, SORTINGS } from './types.ts'

export interface HistoryRoutesDeps {
  readonly reader: Pick<HistoryReader, 'ask'>
  readonly clock: Clock
  /** Of days and hours; '' = the zone of this computer. */
  readonly timezone: string
}

type Query = ApiRequest['query']

const SUMMARY_MS = 30 * 86_400_000

export function historyRoutes(deps: HistoryRoutesDeps): ApiRoute[] {
  const common = { methods: ['GET'], endpoint: null, scope: 'task:read' } as const
  return [
    { ...common, path: '/v4/history', ...HISTORY_DESCRIPTION, handle: (request) => list(deps, request) },
    { ...common, path: '/v4/history/summary', ...SUMMARY_DESCRIPTION, handle: (request) => summary(deps, request) },
  ]
}

async function list({ reader, clock }: HistoryRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, LIST_PARAMETER_NAMES)
  const filter = filterOf(query, clock.now())
  const [stoppedAt, seq = 0] = numberCursorParameter(query, 2) ?? []
  const after: HistoryPosition | null = stoppedAt === undefined ? null : [stoppedAt, seq]
  const limit = limitParameter(query)
  const { executions, next } = await reader.ask({ kind: 'list', filter, after, limit })
  return jsonAnswer(200, { executions, nextCursor: next && keyCursorOf(next.map(String)) })
}

async function summary({ reader, clock, timezone }: HistoryRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, SUMMARY_PARAMETER_NAMES)
  const now = clock.now()
  const asked = filterOf(query, now)
  // Later pages are about the same time as the first.
  const [offset = 0, from = asked.from ?? now - SUMMARY_MS, to = asked.to ?? now] =
    numberCursorParameter(query, 3) ?? []
  const groupBy = word(query, 'groupBy', GROUPINGS) ?? 'task'
  const { summary: groups, next } = await reader.ask({
    ...{ kind: 'summary', groupBy, timezone, offset, limit: limitParameter(query) },
    filter: { ...asked, from, to },
    sort: word(query, 'sort', SORTINGS),
  })
  return jsonAnswer(200, {
    groupBy,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    summary: groups,
    nextCursor: next === null ? null : keyCursorOf([next, from, to].map(String)),
  })
}

/** A word that may be given once. */
function word<Word extends string>(query: Query, name: string, words: readonly Word[]): Word | null {
  textParameter(query, name)
  return wordsParameter(query, name, words)?.[0] ?? null
}

function filterOf(query: Query, now: number): HistoryFilter {
  const ids = (name: string) => valuesParameter(query, name)?.map((id) => id.toLowerCase()) ?? null
  return {
    taskId: ids('taskId'),
    taskName: valuesParameter(query, 'taskName'),
    appId: ids('appId'),
    type: wordsParameter(query, 'type', TASK_TYPES),
    outcome: wordsParameter(query, 'outcome', OUTCOMES),
    node: valuesParameter(query, 'node'),
    actor: valuesParameter(query, 'actor'),
    from: timeParameter(query, 'from', now),
    to: timeParameter(query, 'to', now),
  }
}
