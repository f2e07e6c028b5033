/** The contracts of the alert rules and of the destinations they send to. Times are ISO 8601. */
import { z } from 'zod'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { DELIVERY_KINDS, SUPPRESS_REASONS } from '../kinds.ts'

const text = () => z.string().nullable()

const listedRule = () =>
  z.strictObject({
    name: z.string(),
    origin: z.enum(['butler', 'footman']),
    enable: z.boolean(),
    to: z.array(z.string()).describe('Names of destinations.'),
    hits: z
      .int()
      .describe('Events since the time of `hits` for which it made alerts, suppressed ones included.')
      .optional(),
    lastHitAt: text().describe('With `hits`: the newest of them.').optional(),
  })
export type AlertRule = Shape<typeof listedRule>

export const ALERT_RULES = contract({
  method: 'GET',
  path: '/v4/alertroutes',
  query: () =>
    z.object({
      hits: queryField.time().describe('Also count the hits of each rule since then, like `7d`.').optional(),
    }),
  answers: () => ({
    200: z.strictObject({
      alertRoutes: z.array(listedRule()),
      partial: z.boolean().describe('With `hits`: the count took too long; older events are not counted.').optional(),
    }),
  }),
})

/** A field of a match, compared with an event. */
export const comparedField = shape('ComparedField', () =>
  z.strictObject({
    field: z.string(),
    wanted: z.string(),
    found: text().describe('Null = the event has nothing there, or it is not known.'),
    holds: z.union([z.boolean(), z.literal('unknown')]),
  }),
)
export type ComparedField = Shape<typeof comparedField>

/** The numbers and ids behind the reason of a suppression: the member that belongs to the reason. */
export const suppressedBy = shape('SuppressedBy', () =>
  z
    .strictObject({
      limit: z
        .strictObject({
          count: z.int(),
          windowMs: z.int(),
          nextSlotAt: text().describe('Null while a message that has not ended keeps the slot.'),
        })
        .optional(),
      snooze: z.strictObject({ id: z.string(), reason: z.string(), until: z.string() }).optional(),
      maintenance: z
        .strictObject({ name: z.string(), until: text().describe('Null when it does not end within a week.') })
        .optional(),
      property: z.strictObject({ name: z.string(), value: z.string() }).optional(),
      tag: z.strictObject({ name: z.string() }).optional(),
      group: z.strictObject({ eventId: z.string(), taskId: z.string(), taskName: z.string() }).optional(),
      retry: z
        .strictObject({
          attempt: z.int(),
          max: z.int(),
          at: z.string(),
          executionId: text().describe('Of the retry, once it was started.').optional(),
        })
        .optional(),
    })
    .describe(
      'The numbers and ids behind the reason: the rate limit and its next free slot, the snooze, the maintenance, the custom property or tag that was missing, the event that opened the group, the retry.',
    ),
)
export type SuppressedBy = Shape<typeof suppressedBy>

const verdicts = shape('RuleVerdicts', () =>
  z.strictObject({
    routes: z.array(
      z.strictObject({
        name: z.string(),
        matched: z.boolean(),
        because: text().describe('Why it did not match.'),
        fields: z.array(comparedField()).optional(),
        deliveries: z.array(
          z.strictObject({
            destination: z.string(),
            target: z.string(),
            wouldBe: z.enum(['pending', 'suppressed']),
            reason: z.enum(SUPPRESS_REASONS).nullable(),
            detail: text(),
            suppressedBy: suppressedBy().nullable(),
            kind: z.enum(DELIVERY_KINDS).describe('Of what is no alert, like `recovery`.').optional(),
          }),
        ),
      }),
    ),
    stoppedBy: text().describe('The rule after which no other was looked at.'),
  }),
)
/** Which rules fire for an event. */
export type Explanation = Shape<typeof verdicts>
export type ExplainedRule = Explanation['routes'][number]

const draftProblem = () =>
  z.strictObject({
    severity: z.enum(['error', 'warning', 'info']),
    path: z.string().describe('Like `alertRoutes[0].match`.'),
    message: z.string(),
    hint: text(),
    line: z.int().describe('Of the draft, from 1; 0 = not in a line.'),
    column: z.int(),
  })
export type DraftProblem = Shape<typeof draftProblem>

const sample = () =>
  z.strictObject({
    type: z.enum(EVENT_TYPES).optional(),
    outcome: z.enum(EVENT_OUTCOMES).optional(),
    taskId: z.string().max(100).optional(),
    taskName: z.string().max(500).optional(),
    host: z.string().max(500).optional(),
    user: z.string().max(500).optional(),
    code: z.string().max(100).optional(),
    message: z.string().max(10_000).optional(),
    consecutiveFailures: z.int().min(0).max(1_000_000).optional(),
  })
/** An invented event. */
export type Sample = Shape<typeof sample>

const question = () =>
  z.object({
    eventId: z.string().describe('An event of the past.').optional(),
    sample: sample().describe('Or an invented one: about a real task when `taskId` or `taskName` is given.').optional(),
    raw: z.string().max(65_535).describe('Or a datagram, as Qlik Sense sends it.').optional(),
    at: z
      .string()
      .describe('Time of the invented event, ISO 8601, in the zone of the site unless it names one; default now.')
      .optional(),
    draft: z
      .string()
      .max(65_535)
      .describe(
        'YAML of a rule, of a list of rules, or of a file with `alertRoutes`. Needs the scope `admin`. A rule of the draft takes the place of the rule with its name, others come last. It is not stored.',
      )
      .optional(),
  })
export type Question = Shape<typeof question>

export const EXPLAIN = contract({
  method: ['POST', 'PUT'],
  path: '/v4/alertroutes/explain',
  body: question,
  answers: () => ({
    200: verdicts().extend({
      draft: verdicts()
        .nullable()
        .describe('With `draft`: the same with the rules of the draft; null when it has errors.')
        .optional(),
      draftProblems: z.array(draftProblem()).describe('With `draft`: errors and warnings about it.').optional(),
    }),
  }),
})
export type ExplainAnswer = AnswerOf<typeof EXPLAIN>

const destination = shape('Destination', () =>
  z.strictObject({
    name: z.string(),
    type: z.string(),
    up: z.boolean().describe('False after a temporary failure, until something is delivered.'),
    state: z.enum(['up', 'refuses', 'down']).describe('`refuses`: it answers, and refused the last message.'),
    pending: z.int(),
    dead: z.int(),
    lastDeliveredAt: text(),
    lastError: text(),
  }),
)
/** How a destination fares. */
export type ListedDestination = Shape<typeof destination>

export const DESTINATIONS = contract({
  method: 'GET',
  path: '/v4/destinations',
  query: NO_QUERY,
  answers: () => ({ 200: z.strictObject({ destinations: z.array(destination()) }) }),
})

const hour = () => z.strictObject({ at: z.string(), delivered: z.int(), suppressed: z.int(), dead: z.int() })
/** The deliveries of an hour. */
export type Hour = Shape<typeof hour>

export const DESTINATION = contract({
  method: 'GET',
  path: '/v4/destinations/{name}',
  params: () => z.object({ name: z.string().describe('Name of the destination.') }),
  query: NO_QUERY,
  answers: () => ({
    200: destination()
      .extend({
        downSince: text().describe('Null while it is up, and after a start until something was sent.'),
        nextProbeAt: text().describe('When a destination that cannot be reached is tried again.'),
        routes: z.array(z.string()).describe('Names of the alert rules that go there and are on.'),
        // The members are those of the configuration, and each type of destination has others.
        settings: z
          .record(z.string(), z.unknown())
          .nullable()
          .describe(
            'As in `Butler.footman.destinations`, secrets masked; null for those of the notification sections.',
          ),
        hours: z.array(hour()).describe('The deliveries made in the last 24 hours, oldest first; without empty hours.'),
      })
      .describe('The destination.'),
  }),
})
export type DestinationDetail = AnswerOf<typeof DESTINATION>
