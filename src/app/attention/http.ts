/** `/v4/attention`: the list, its number, and marks of who takes care of an item. */
import type { Caller } from '../../http/endpoint/caller.ts'
import { type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Clock } from '../../platform/types.ts'
import {
  ATTENTION,
  ATTENTION_COUNT,
  ATTENTION_KINDS,
  GIVE_ATTENTION_BACK,
  TAKE_ATTENTION,
} from '../../tasks/overview/contract.ts'
import { type AttentionList, type FoundItem, SCOPES } from './types.ts'

interface AttentionRoutesDeps {
  readonly list: AttentionList
  readonly clock: Clock
}

const DAY_MS = 86_400_000

export function attentionRoutes({ list, clock }: AttentionRoutesDeps): ApiRoute[] {
  return [
    route({
      ...ATTENTION,
      scope: 'task:read',
      summary: 'List what needs attention',
      description:
        'Failed and missing tasks, given-up deliveries, destinations, services and reports, sorted by severity, number of tasks behind it, and age. Kinds of which the caller lacks the scope (`event:read`, `report:read`, `schedule:read`) are named in `hidden`.',
      examples: [{ name: 'open', query: { kind: 'taskFailed' }, status: 200 }],
      async handle({ query: { state = 'open', from, kind }, caller }, answer) {
        const now = clock.now()
        const found = state === 'open' ? await list.open() : await list.recovered(from?.(now) ?? now - DAY_MS)
        const hidden = hiddenFrom(caller)
        const items = found.filter((item) => !hidden.includes(item.kind) && (kind?.includes(item.kind) ?? true))
        const count = list.count((kind) => !hidden.includes(kind))
        return answer(200, { asOf: iso(now), items: items.map((item) => answerOf(item, caller)), hidden, count })
      },
    }),
    route({
      ...ATTENTION_COUNT,
      scope: 'task:read',
      summary: 'Count what needs attention',
      description: 'Cheap: it asks nothing of Qlik Sense and may be 15 seconds old.',
      examples: [{ name: 'count', status: 200, answer: { count: 0 } }],
      handle({ caller }, answer) {
        const hidden = hiddenFrom(caller)
        return answer(200, { count: list.count((kind) => !hidden.includes(kind)) })
      },
    }),
    route({
      ...TAKE_ATTENTION,
      scope: 'event:run',
      action: 'attention.take',
      summary: 'Take care of an item',
      description: 'A mark for colleagues until the item is gone; it changes neither alerts nor the life of the item.',
      examples: [
        {
          name: 'first',
          params: from(ATTENTION, { key: '$response.body#/items/0/key' }),
          body: { note: 'The source is loaded again' },
          status: 200,
        },
      ],
      async handle({ params: { key }, body, caller, note }, answer) {
        note({ target: [key], ...(body.note !== '' && { detail: body.note }) })
        const item = await list.take(key, caller.actor, body.note)
        if (!item) throw notFound(key)
        return answer(200, answerOf(item, caller))
      },
    }),
    route({
      ...GIVE_ATTENTION_BACK,
      scope: 'event:run',
      action: 'attention.giveBack',
      summary: 'Give an item back',
      examples: [{ name: 'first', params: from(ATTENTION, { key: '$response.body#/items/0/key' }), status: 204 }],
      async handle({ params: { key }, note }, answer) {
        note({ target: [key] })
        if (await list.giveBack(key)) return answer(204)
        throw notFound(key)
      },
    }),
  ]
}

const hiddenFrom = (caller: Caller) => ATTENTION_KINDS.filter((kind) => !caller.may(SCOPES[kind]))

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
