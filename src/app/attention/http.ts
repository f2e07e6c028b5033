/** `/v4/attention`: the list, its number, and marks of who takes care of an item. */
import { z } from 'zod'
import type { Caller } from '../../http/endpoint/caller.ts'
import { LIST_PARAMETERS, NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import { type AttentionList, type FoundItem, KINDS, SCOPES, SEVERITIES } from './types.ts'

interface AttentionRoutesDeps {
  readonly list: AttentionList
  readonly clock: Clock
}

const DAY_MS = 86_400_000
const NOTE_LENGTH = 200

const text = once(() => z.string().nullable())

const ITEM = once(() =>
  z.object({
    key: z.string().describe('The same as long as the item is open: `taskFailed:<task id>`.'),
    kind: z.enum(KINDS),
    severity: z.enum(SEVERITIES),
    since: z.string(),
    title: z.string(),
    cause: text(),
    task: z.object({ taskId: z.string(), taskName: z.string() }).nullable(),
    eventId: text(),
    executionId: text(),
    count: z.int(),
    dueAt: text(),
    alerted: z
      .array(z.object({ destination: z.string(), target: z.string(), at: z.string() }))
      .describe('Destinations that got an alert since the item began.'),
    heldBack: z.array(z.object({ reason: z.string(), count: z.int(), snoozeId: text() })),
    quiet: z
      .object({
        reason: z.enum(['SNOOZED', 'MAINTENANCE']),
        detail: z.string().describe('The reason of the snooze, or the name of the maintenance.'),
        until: text().describe('End of the snooze.'),
      })
      .nullable()
      .describe('Alerts about the task are held back now.'),
    outcome: z
      .enum(['failed', 'aborted'])
      .nullable()
      .describe('How the last run ended, of `taskFailed`; null = another kind, or the task is well again.'),
    behind: z
      .array(z.object({ taskId: z.string(), taskName: z.string() }))
      .describe('Tasks that run after this one and have not started since it failed.'),
    parent: text().describe('Key of the item whose failure explains this one.'),
    runningAgain: z
      .object({
        executionId: text(),
        state: z.enum(['queued', 'running']),
        startedAt: z.string(),
        expectedEnd: z.string(),
        over: z.boolean(),
        overByMs: z.number(),
      })
      .nullable(),
    usualMs: z
      .number()
      .nullable()
      .describe('Usual run time of a task that runs: the median of its last successful runs; null without one.'),
    retry: z
      .object({ attempt: z.int(), max: z.int(), at: z.string() })
      .nullable()
      .describe('Start that the retry policy has planned.'),
    taken: z.object({ by: z.string(), at: z.string(), note: z.string() }).nullable(),
    recovered: z
      .object({ at: z.string(), how: z.enum(['itself', 'retry', 'start']), by: text() })
      .nullable()
      .describe('`start`: a caller of Footman has started it.'),
  }),
)

const QUERY = once(() =>
  z.object({
    state: queryField
      .word(['open', 'recovered'])
      .describe('Default `open`; `recovered`: tasks that failed and succeeded since.')
      .optional(),
    from: LIST_PARAMETERS.from.describe('Begin of the time in which tasks have failed, for `recovered`. Default 24h.'),
    kind: queryField.words(KINDS).describe('May be repeated: any of them.').optional(),
  }),
)

const PARAMS = once(() => z.object({ key: z.string().describe('Key of the item.') }))
const BODY = once(() => z.object({ note: z.string().max(NOTE_LENGTH).default('') }))

export function attentionRoutes({ list, clock }: AttentionRoutesDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/attention',
      scope: 'task:read',
      summary: 'List what needs attention',
      description:
        'Failed and missing tasks, given-up deliveries, destinations, services and reports, sorted by severity, number of tasks behind it, and age. Kinds of which the caller lacks the scope (`event:read`, `report:read`, `schedule:read`) are named in `hidden`.',
      query: QUERY,
      answers: () => ({
        200: z
          .object({
            asOf: z.string(),
            items: z.array(ITEM()),
            hidden: z.array(z.enum(KINDS)).describe('Kinds that the caller may not see.'),
            count: z
              .int()
              .describe('Open items that the caller may see and that belong to no other item, of any kind.'),
          })
          .describe('The items.'),
      }),
      examples: [{ name: 'open', query: { kind: 'taskFailed' }, status: 200 }],
      async handle({ query: { state = 'open', from, kind }, caller }) {
        const now = clock.now()
        const found = state === 'open' ? await list.open() : await list.recovered(from?.(now) ?? now - DAY_MS)
        const hidden = hiddenFrom(caller)
        const items = found.filter((item) => !hidden.includes(item.kind) && (kind?.includes(item.kind) ?? true))
        const count = list.count((kind) => !hidden.includes(kind))
        const body = { asOf: iso(now), items: items.map((item) => answerOf(item, caller)), hidden, count }
        return jsonAnswer(200, body)
      },
    }),
    route({
      method: 'GET',
      path: '/v4/attention/count',
      scope: 'task:read',
      summary: 'Count what needs attention',
      description: 'Cheap: it asks nothing of Qlik Sense and may be 15 seconds old.',
      query: NO_QUERY,
      answers: () => ({
        200: z
          .object({ count: z.int() })
          .describe('Open items that the caller may see and that belong to no other item.'),
      }),
      examples: [{ name: 'count', status: 200, answer: { count: 0 } }],
      handle({ caller }) {
        const hidden = hiddenFrom(caller)
        return jsonAnswer(200, { count: list.count((kind) => !hidden.includes(kind)) })
      },
    }),
    route({
      method: 'PUT',
      path: '/v4/attention/{key}/taken',
      scope: 'event:run',
      action: 'attention.take',
      summary: 'Take care of an item',
      description: 'A mark for colleagues until the item is gone; it changes neither alerts nor the life of the item.',
      params: PARAMS,
      body: BODY,
      answers: () => ({ 200: ITEM().describe('The item.') }),
      async handle({ params: { key }, body, caller, note }) {
        note({ target: [key], ...(body.note !== '' && { detail: body.note }) })
        const item = await list.take(key, caller.actor, body.note)
        if (!item) throw notFound(key)
        return jsonAnswer(200, answerOf(item, caller))
      },
    }),
    route({
      method: 'DELETE',
      path: '/v4/attention/{key}/taken',
      scope: 'event:run',
      action: 'attention.giveBack',
      summary: 'Give an item back',
      params: PARAMS,
      answers: () => ({ 204: z.void() }),
      async handle({ params: { key }, note }) {
        note({ target: [key] })
        if (await list.giveBack(key)) return new Response(null, { status: 204 })
        throw notFound(key)
      },
    }),
  ]
}

const hiddenFrom = (caller: Caller) => KINDS.filter((kind) => !caller.may(SCOPES[kind]))

const notFound = (key: string) => refusal('ATTENTION_NOT_FOUND', `${key} is not open, or was not taken.`)
const iso = (time: number): string => new Date(time).toISOString()
const isoOrNull = (time: number | null): string | null => (time === null ? null : iso(time))

/** Receivers of alerts are shown to callers that may read events. */
function answerOf(item: FoundItem, caller: Caller) {
  const { alerted, quiet, runningAgain, retry, taken, recovered, since, dueAt, ...rest } = item
  const shown = caller.may('event:read') ? alerted : []
  return {
    ...rest,
    since: iso(since),
    dueAt: isoOrNull(dueAt),
    alerted: shown.map((one) => ({ ...one, at: iso(one.at) })),
    runningAgain: runningAgain && {
      ...runningAgain,
      startedAt: iso(runningAgain.startedAt),
      expectedEnd: iso(runningAgain.expectedEnd),
    },
    quiet: quiet && { ...quiet, until: isoOrNull(quiet.until) },
    retry: retry && { ...retry, at: iso(retry.at) },
    taken: taken && { ...taken, at: iso(taken.at) },
    recovered: recovered && { ...recovered, at: iso(recovered.at) },
  }
}
