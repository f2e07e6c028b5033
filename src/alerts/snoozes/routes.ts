/** `/v4/snoozes`: leaving people alone about something for a while. */

import { keyCursorOf, keyCursorParameter, limitParameter, onlyParameters } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { refusedWithCode } from '../../http/errors.ts'
import type { Windows } from '../../platform/calendar/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/stored-json.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid, uuidV7 } from '../../platform/uuid.ts'
import * as about from './descriptions.ts'
import { readSnooze } from './request.ts'
import { deleteSnooze, insertSnooze, listSnoozes, type Snooze } from './store.ts'

export interface SnoozeRoutesDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly windows: Pick<Windows, 'contains'>
}

export function snoozeRoutes(deps: SnoozeRoutesDeps): ApiRoute[] {
  const path = '/v4/snoozes'
  const run = { endpoint: null, scope: 'event:run' } as const
  return [
    {
      ...{ methods: ['GET'], path, endpoint: null, scope: 'event:read', ...about.LIST },
      handle: (request) => list(deps, request),
    },
    {
      ...{ ...run, methods: ['POST', 'PUT'], path, action: 'snooze.set', ...about.SET },
      handle: (request) => set(deps, request),
    },
    {
      ...{ ...run, methods: ['DELETE'], path: `${path}/{id}`, action: 'snooze.lift', ...about.LIFT },
      handle: (request) => lift(deps, request),
    },
  ]
}

function list({ db, clock }: SnoozeRoutesDeps, { query }: ApiRequest): Response {
  onlyParameters(query, ['limit', 'cursor'])
  const limit = limitParameter(query)
  const [before = null] = keyCursorParameter(query, 1) ?? []
  const found = listSnoozes(db, clock.now(), before, limit + 1)
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const nextCursor = found.length > limit && last ? keyCursorOf([last.id]) : null
  return jsonAnswer(200, { snoozes: page.map(answerOf), nextCursor })
}

async function set({ writer, clock, windows }: SnoozeRoutesDeps, request: ApiRequest): Promise<Response> {
  const now = clock.now()
  const wanted = readSnooze(request.body, windows, now)
  const snooze = { ...wanted, id: uuidV7(now), createdBy: request.caller.actor, createdAt: now }
  request.note({ target: [snooze.id], detail: `until ${new Date(snooze.until).toISOString()}` })
  await writer.write((db) => insertSnooze(db, snooze))
  return jsonAnswer(201, answerOf({ ...snooze, suppressed: 0 }))
}

async function lift({ writer }: SnoozeRoutesDeps, request: ApiRequest): Promise<Response> {
  const { id = '' } = request.params
  if (!isGuid(id)) throw refusedWithCode(400, 'INVALID_ID', 'Invalid ID', `"${id}" is not an id: a UUID is expected.`)
  request.note({ target: [id] })
  const lifted = await writer.write((db) => deleteSnooze(db, id.toLowerCase()))
  if (lifted) return new Response(null, { status: 204 })
  throw refusedWithCode(404, 'SNOOZE_NOT_FOUND', 'Snooze not found', `No snooze has the id ${id}. It may have ended.`)
}

function answerOf({ id, match, from, until, reason, createdBy, suppressed }: Snooze) {
  return {
    ...{ id, match: storedJson<unknown>(match, null) },
    ...{ from: new Date(from).toISOString(), until: new Date(until).toISOString() },
    ...{ reason, createdBy, suppressed },
  }
}
