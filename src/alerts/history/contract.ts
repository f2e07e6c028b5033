/** The contracts of events and deliveries: lists, details, counts, replays and tests. Times are ISO 8601. */
import { z } from 'zod'
import { EVENT_OUTCOMES, EVENT_SOURCES, EVENT_TYPES, SEVERITIES } from '../../events/kinds.ts'
import { DROP_REASONS } from '../../events/types.ts'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { LIST_PARAMETERS, NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { field } from '../../http/endpoint/validation.ts'
import { DELIVERY_KINDS, DELIVERY_REASONS, DELIVERY_STATES, SUPPRESS_REASONS } from '../kinds.ts'
import { comparedField, suppressedBy } from '../rules/contract.ts'

export const EVENT_STATES = ['pending', 'routed', 'ignored'] as const

const text = () => z.string().nullable()
const count = () => z.int()

/** The members of a list besides its items. */
const page = () => ({
  nextCursor: text(),
  partial: z.boolean().describe('The search took too long and was ended: `nextCursor` goes on with older ones.'),
})

/** A parameter that may be repeated: any of the values. */
const anyOf = <const Word extends string>(values: readonly Word[]) =>
  queryField.words(values).describe('May be repeated: any of them.').optional()

const anyText = (what: string) => queryField.texts().describe(`${what} May be repeated: any of them.`).optional()

const MOST_IDS = 100

/** The parameter that names single items. */
const someIds = (what: string) =>
  queryField
    .texts()
    .refine((ids) => ids.length <= MOST_IDS, { error: `must be given ${MOST_IDS} times at most` })
    .describe(`${what} May be repeated up to ${MOST_IDS} times.`)
    .optional()

const { from, to, limit, cursor } = LIST_PARAMETERS

// Deliveries

const delivery = shape('Delivery', () =>
  z.strictObject({
    id: z.string(),
    eventId: z.string(),
    kind: z.enum(DELIVERY_KINDS),
    route: text(),
    destination: z.string(),
    destinationType: text(),
    target: z.string().describe('The receiver as people know it: an address, a channel, the host of a URL.'),
    severity: z.enum(SEVERITIES),
    state: z.enum(DELIVERY_STATES),
    reason: z.enum(DELIVERY_REASONS).nullable(),
    detail: text(),
    suppressedBy: suppressedBy().nullable(),
    createdAt: z.string(),
    deliveredAt: text(),
    latencyMs: z.number().nullable().describe('From the arrival of the event.'),
    nextAttemptAt: text(),
    replayOf: text(),
  }),
)
/** A delivery in a list. */
export type Delivery = Shape<typeof delivery>

const deliveryDetail = shape('DeliveryDetail', () =>
  delivery().extend({
    message: z
      .strictObject({ subject: text(), bytes: count(), body: z.string().describe('Cut at 64 KB.') })
      .nullable()
      .describe('The message sent; null before the first attempt.'),
    attempts: z.array(
      z.strictObject({
        n: count(),
        at: z.string(),
        durationMs: z.number(),
        result: z.enum(['ok', 'temporary', 'permanent']),
        detail: z.string(),
      }),
    ),
  }),
)
export type DeliveryDetail = Shape<typeof deliveryDetail>

const deliveryFilters = () => ({
  id: someIds('Id of the delivery.'),
  eventId: anyText('Id of the event.'),
  state: anyOf(DELIVERY_STATES),
  reason: anyOf(DELIVERY_REASONS),
  kind: anyOf(DELIVERY_KINDS),
  destination: anyText('Name of the destination.'),
  route: anyText('Name of the route.'),
  taskId: anyText('Id of the task.'),
})

const deliveriesQuery = () => z.object({ ...deliveryFilters(), ...LIST_PARAMETERS })
export type DeliveriesQuery = Shape<typeof deliveriesQuery>

export const DELIVERIES = contract({
  method: 'GET',
  path: '/v4/deliveries',
  query: deliveriesQuery,
  answers: () => ({
    200: z.strictObject({ deliveries: z.array(delivery()), ...page() }).describe('The deliveries.'),
  }),
})
export type Deliveries = AnswerOf<typeof DELIVERIES>

const deliveryId = () => z.object({ id: z.string().describe('Id of the delivery.') })

export const DELIVERY = contract({
  method: 'GET',
  path: '/v4/deliveries/{id}',
  params: deliveryId,
  query: NO_QUERY,
  answers: () => ({ 200: deliveryDetail().describe('The delivery.') }),
})

const counts = shape('DeliveryCounts', () =>
  z.strictObject({
    pending: count(),
    sending: count(),
    delivered: count(),
    suppressed: count(),
    dead: count(),
  }),
)

const partialCount = () => z.boolean().describe('The search took too long and was ended: what is older is not counted.')

export const DELIVERIES_SUMMARY = contract({
  method: 'GET',
  path: '/v4/deliveries/summary',
  query: () => z.object({ ...deliveryFilters(), from, to }),
  answers: () => ({
    200: z.strictObject({
      states: counts(),
      reasons: z.partialRecord(z.enum(DELIVERY_REASONS), count()),
      destinations: z.array(
        z.strictObject({
          name: z.string(),
          delivered: count(),
          suppressed: count(),
          dead: count(),
          oldestDead: text().describe('When the oldest dead one was created.'),
        }),
      ),
      partial: partialCount(),
    }),
  }),
})
export type DeliveriesSummary = AnswerOf<typeof DELIVERIES_SUMMARY>

const names = (what: string) => field.array(field.string()).describe(what)
const listOf = (what: string) =>
  names(what)
    .nullish()
    .transform((value) => value ?? undefined)

export const RESEND_DEAD_LETTERS = contract({
  method: ['POST', 'PUT'],
  path: '/v4/deliveries/-/resend',
  body: () =>
    z.object({
      id: listOf('Ids of deliveries.'),
      destination: listOf('Names of destinations.'),
      reason: listOf('Why they were given up.'),
      from: z.string().nullish().describe('Created at or after this time, or so long ago at most, like `24h`.'),
      to: z.string().nullish().describe('Created before this time.'),
    }),
  answers: () => ({ 202: z.strictObject({ resent: count() }).describe('How many are under way.') }),
})

const emptyBody = () => z.object({}).optional()

export const RESEND_DELIVERY = contract({
  method: ['POST', 'PUT'],
  path: '/v4/deliveries/{id}/resend',
  params: deliveryId,
  body: emptyBody,
  answers: () => ({
    202: z
      .strictObject({ id: z.string(), state: z.literal('pending'), replayOf: z.string().optional() })
      .describe('It is under way.'),
    409: 'It is still under way.',
  }),
})

export const CANCEL_DELIVERY = contract({
  method: ['POST', 'PUT'],
  path: '/v4/deliveries/{id}/cancel',
  params: deliveryId,
  body: emptyBody,
  answers: () => ({
    200: z
      .strictObject({ id: z.string(), state: z.literal('dead'), reason: z.literal('CANCELLED') })
      .describe('It is not going to be sent.'),
    409: 'It is not pending.',
  }),
})

// Events

const event = shape('Event', () =>
  z.strictObject({
    id: z.string(),
    receivedAt: z.string(),
    source: z.enum(EVENT_SOURCES),
    type: z.enum(EVENT_TYPES),
    outcome: z.enum(EVENT_OUTCOMES),
    severity: z.enum(SEVERITIES),
    state: z.enum(EVENT_STATES),
    reason: text().describe('Why it was ignored.'),
    title: z.string(),
    host: text(),
    user: text(),
    taskId: text(),
    taskName: text(),
    appId: text(),
    appName: text(),
    executionId: text(),
    consecutiveFailures: count().nullable(),
    missingParts: z
      .array(z.enum(['task', 'app', 'owner', 'execution', 'scriptLog']))
      .describe('Data that Qlik Sense did not deliver in time.'),
    test: z.boolean(),
    deliveryCounts: counts(),
  }),
)
/** An event in a list. */
export type EventItem = Shape<typeof event>

/** Those that pages show. The others are open: events of Qlik Cloud have all members that their tenant sends. */
const templateVariables = shape('TemplateVariables', () =>
  z.looseObject({
    errorText: z.string(),
    logMessage: z.string(),
    selfText: z.string(),
    lastSuccess: z.string().describe('Empty like every text that is not known.'),
    taskNextExecution: z.string(),
    taskTags: z.array(z.string()),
    appTags: z.array(z.string()),
    appUrl: z.string(),
    appStreamName: z.string(),
    appOwnerUserId: z.string(),
    appOwnerUserDirectory: z.string(),
    retryAttempt: z.union([z.int(), z.literal('')]),
    retryMax: z.union([z.int(), z.literal('')]),
    executionDetails: z.array(z.looseObject({ timestampUTC: z.string(), message: z.string() })),
  }),
)
export type TemplateVariables = Shape<typeof templateVariables>

const eventFilters = () => ({
  id: someIds('Id of the event.'),
  type: anyOf(EVENT_TYPES),
  outcome: anyOf(EVENT_OUTCOMES),
  source: anyOf(EVENT_SOURCES),
  state: anyOf(EVENT_STATES),
  severity: anyOf(SEVERITIES),
  taskId: anyText('Id of the task.'),
  appId: anyText('Id of the app.'),
  executionId: anyText('Id of the execution.'),
  host: anyText('Name of the sending node.'),
  alerted: queryField
    .word(['none', 'some'])
    .describe('Whether an alert about it was delivered; records, like points for InfluxDB, do not count.')
    .optional(),
  q: queryField.text().describe('Text in the name of task or app, or in the message.').optional(),
})

const eventsQuery = () => z.object({ ...eventFilters(), ...LIST_PARAMETERS })
export type EventsQuery = Shape<typeof eventsQuery>

export const EVENTS = contract({
  method: 'GET',
  path: '/v4/events',
  query: eventsQuery,
  answers: () => ({ 200: z.strictObject({ events: z.array(event()), ...page() }).describe('The events.') }),
})
export type Events = AnswerOf<typeof EVENTS>

const eventId = () => z.object({ id: z.string().describe('Id of the event.') })

export const EVENT = contract({
  method: 'GET',
  path: '/v4/events/{id}',
  params: eventId,
  query: NO_QUERY,
  answers: () => ({
    200: event()
      .extend({
        raw: text().describe('The datagram, as long as it is kept.'),
        from: text().describe('Address of the sender.'),
        acceptedBy: z.string().optional().describe('In a cluster: the node that accepted the message.'),
        record: templateVariables().describe('The variables that templates see.'),
        deliveries: z.array(deliveryDetail()),
      })
      .describe('The event.'),
  }),
})
export type EventDetail = AnswerOf<typeof EVENT>

export const DROPPED = contract({
  method: 'GET',
  path: '/v4/events/dropped',
  query: () => z.object({ reason: anyOf(DROP_REASONS), limit, cursor }),
  answers: () => ({
    200: z
      .strictObject({
        dropped: z.array(
          z.strictObject({ at: z.string(), from: z.string(), reason: z.enum(DROP_REASONS), raw: z.string() }),
        ),
        ...page(),
      })
      .describe('The datagrams.'),
  }),
})
export type Dropped = AnswerOf<typeof DROPPED>

export const BUCKETS = { '5m': 300_000, '1h': 3_600_000, '1d': 86_400_000 } as const

const bucket = shape('EventCounts', () =>
  z.strictObject({
    at: z.string().describe('Begin of the bucket, UTC.'),
    success: count(),
    failed: count(),
    aborted: count(),
    other: count(),
  }),
)
/** The events of a length of time. */
export type Bucket = Shape<typeof bucket>

export const EVENTS_SUMMARY = contract({
  method: 'GET',
  path: '/v4/events/summary',
  query: () =>
    z.object({
      bucket: queryField
        .word(Object.keys(BUCKETS) as (keyof typeof BUCKETS)[])
        .describe('Default `1h`.')
        .optional(),
      ...eventFilters(),
      from,
      to,
    }),
  answers: () => ({
    200: z.strictObject({
      buckets: z.array(bucket()).describe('Oldest first; without empty ones.'),
      partial: partialCount(),
    }),
  }),
})

export type EventsSummary = AnswerOf<typeof EVENTS_SUMMARY>

export const DECISIONS = contract({
  method: 'GET',
  path: '/v4/events/{id}/decisions',
  params: eventId,
  query: NO_QUERY,
  answers: () => ({
    200: z.strictObject({
      recorded: z
        .boolean()
        .describe('False while the event waits for data, for tests, and for events of an older Footman.'),
      decidedAt: text(),
      configuration: text().describe('Hash of the configuration of then.'),
      configurationFrom: text().describe('When that configuration came into use.'),
      stoppedBy: text().describe('The rule after which no other was looked at.'),
      routes: z.array(
        z.strictObject({
          name: z.string(),
          origin: z.enum(['butler', 'footman']),
          matched: z.boolean(),
          because: text().describe('Why it did not match.'),
          fields: z.array(comparedField()),
          deliveries: z.array(z.string()).describe('Ids of the deliveries.'),
        }),
      ),
      notConcerned: count().describe('Number of rules that were off or about other types and outcomes.'),
      off: z.array(z.strictObject({ name: z.string(), because: z.string() })).describe('Those that were off.'),
    }),
  }),
})
export type Decisions = AnswerOf<typeof DECISIONS>

export const DEFAULT_LINES = 2000
const MOST_LINES = 10_000
/** Lines with an error that are named. */
export const MOST_ERRORS = 1000

export const SCRIPT_LOG = contract({
  method: 'GET',
  path: '/v4/events/{id}/scriptlog',
  params: eventId,
  query: () =>
    z.object({
      from: queryField.integer(1, 100_000_000).describe('First line. Default 1.').optional(),
      limit: queryField.integer(1, MOST_LINES).describe(`Lines at most. Default ${DEFAULT_LINES}.`).optional(),
    }),
  answers: () => ({
    200: z.strictObject({
      source: z.enum(['stored', 'qlik']).describe('Kept with the event, or read from Qlik Sense now.'),
      lines: count().describe('Lines of the whole log.'),
      from: count(),
      text: z.array(z.string()),
      errorLines: z.array(count()).describe(`Numbers of all lines with an error; ${MOST_ERRORS} at most.`),
      errorText: text(),
    }),
    502: 'Qlik Sense is unreachable or refuses.',
  }),
})
export type ScriptLogPart = AnswerOf<typeof SCRIPT_LOG>

// Replays and tests

const made = shape('MadeDeliveries', () =>
  z
    .strictObject({
      eventId: z.string(),
      deliveries: z.array(
        z.strictObject({
          id: z.string(),
          route: text(),
          destination: z.string(),
          target: z.string(),
          state: z.enum(['pending', 'suppressed']),
          reason: z.enum(SUPPRESS_REASONS).nullable(),
        }),
      ),
    })
    .describe('The deliveries are under way.'),
)
/** The deliveries that a replay or a test has made. */
export type Made = Shape<typeof made>
export type MadeDelivery = Made['deliveries'][number]

const rehearsed = shape('RehearsedMessages', () =>
  z
    .strictObject({
      messages: z.array(
        z.strictObject({
          route: text(),
          destination: z.string(),
          target: z.string(),
          message: z.strictObject({ subject: text(), body: z.string() }),
        }),
      ),
    })
    .describe('The messages that would be sent.'),
)
/** The messages of a dry run. */
export type DryRun = Shape<typeof rehearsed>

const replayBody = () =>
  z.object({
    routes: names('Only these rules, whether their conditions hold or not.').optional(),
    to: names('Only these destinations of `Butler.footman.destinations`, without rule or gate.').optional(),
    ignoreGates: z.boolean().describe('No rate limit, snooze, maintenance or grouping holds it back.').optional(),
  })

export const REPLAY = contract({
  method: ['POST', 'PUT'],
  path: '/v4/events/{id}/replay',
  params: eventId,
  body: () => replayBody().optional(),
  answers: () => ({ 202: made() }),
})

const fireBody = () =>
  z.object({
    type: z.enum(EVENT_TYPES).describe('Default `reload`.').optional(),
    outcome: z.enum(EVENT_OUTCOMES).describe('Default `failed`.').optional(),
    taskId: z.string().nullish().describe('A real task in place of the invented one.'),
    eventId: z.string().nullish().describe('A past event whose data are used.'),
    values: z.record(z.string(), field.string()).describe('Template variables to set, like `taskName`.').optional(),
    routes: names('Only these rules, whether their conditions hold or not.').optional(),
    to: names('Only these destinations of `Butler.footman.destinations`.').optional(),
    dryRun: z.boolean().describe('Render the messages and send nothing.').optional(),
  })
export type FireBody = Shape<typeof fireBody>

export const FIRE = contract({
  method: ['POST', 'PUT'],
  path: '/v4/events/fire',
  body: () => fireBody().optional(),
  answers: () => ({
    200: rehearsed(),
    202: made(),
    404: 'There is no such event, rule or destination.',
    502: 'Qlik Sense is unreachable or refuses.',
  }),
})

export const TEST_DESTINATION = contract({
  method: ['POST', 'PUT'],
  path: '/v4/destinations/{name}/test',
  params: () => z.object({ name: z.string().describe('Name of the destination.') }),
  body: () => fireBody().omit({ taskId: true, routes: true, to: true }).optional(),
  answers: () => ({ 200: rehearsed(), 202: made() }),
})
