/** `/v4/snoozes`: leaving people alone about something for a while. */
import { z } from 'zod'
import {
  keyCursorOf,
  keyCursorParameter,
  LIST_PARAMETERS,
  limitParameter,
  onlyParameters,
} from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Windows } from '../../platform/calendar.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid, uuidV7 } from '../../platform/uuid.ts'
import { readSnooze, SNOOZE_BODY } from './request.ts'
import { deleteSnooze, insertSnooze, listSnoozes, type Snooze } from './store.ts'

export interface SnoozeRoutesDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly windows: Pick<Windows, 'contains'>
}

const SNOOZE = z.object({
  id: z.string(),
  match: z.looseObject({}),
  from: z.string(),
  until: z.string(),
  reason: z.string(),
  createdBy: z.string(),
  suppressed: z.int().describe('Deliveries held back so far.'),
})

const LIST_QUERY = z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor })
const SNOOZES = z.object({ snoozes: z.array(SNOOZE), nextCursor: z.string().nullable() })
const PARAMS = z.object({ id: z.string().describe('Id of the snooze.') })

const EXAMPLE_BODY = {
  match: { taskId: ['a8b4c123-def4-5678-9abc-def012345678'] },
  for: '2h',
  reason: 'source database is being moved',
}

export function snoozeRoutes({ db, writer, clock, windows }: SnoozeRoutesDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/snoozes',
      scope: 'event:read',
      summary: 'List snoozes',
      description: 'Those that have not ended, newest first.',
      readByHandler: { query: LIST_QUERY },
      answers: { 200: SNOOZES },
      examples: [{ name: 'all', status: 200, answer: { snoozes: [], nextCursor: null } }],
      handle({ query }) {
        onlyParameters(query, Object.keys(LIST_QUERY.shape))
        const limit = limitParameter(query)
        const [before = null] = keyCursorParameter(query, 1) ?? []
        const found = listSnoozes(db, clock.now(), before, limit + 1)
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = found.length > limit && last ? keyCursorOf([last.id]) : null
        return jsonAnswer(200, { snoozes: page.map(answerOf), nextCursor })
      },
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/snoozes',
      scope: 'event:run',
      audit: 'snooze.set',
      summary: 'Set a snooze',
      description:
        'Messages to people about events that match are held back and recorded as `suppressed`/`SNOOZED`, until the snooze ends by itself or is lifted. It survives a restart.',
      body: SNOOZE_BODY,
      answers: { 201: SNOOZE },
      examples: [{ name: 'task', body: EXAMPLE_BODY, status: 201 }],
      async handle({ body, caller, note }) {
        const now = clock.now()
        const wanted = readSnooze(body, windows, now)
        const snooze = { ...wanted, id: uuidV7(now), createdBy: caller.actor, createdAt: now }
        note({ target: [snooze.id], detail: `until ${new Date(snooze.until).toISOString()}` })
        await writer.write((db) => insertSnooze(db, snooze))
        return jsonAnswer(201, answerOf({ ...snooze, suppressed: 0 }))
      },
    }),
    route({
      method: 'DELETE',
      path: '/v4/snoozes/{id}',
      scope: 'event:run',
      audit: 'snooze.lift',
      summary: 'Lift a snooze',
      params: PARAMS,
      answers: { 204: z.void() },
      async handle({ params: { id }, note }) {
        if (!isGuid(id)) throw refusal('INVALID_ID', `"${id}" is not an id: a UUID is expected.`)
        note({ target: [id] })
        const lifted = await writer.write((db) => deleteSnooze(db, id.toLowerCase()))
        if (lifted) return new Response(null, { status: 204 })
        throw refusal('SNOOZE_NOT_FOUND', `No snooze has the id ${id}. It may have ended.`)
      },
    }),
  ]
}

function answerOf({ id, match, from, until, reason, createdBy, suppressed }: Snooze) {
  return {
    ...{ id, match: storedJson<unknown>(match, null) },
    ...{ from: new Date(from).toISOString(), until: new Date(until).toISOString() },
    ...{ reason, createdBy, suppressed },
  }
}
