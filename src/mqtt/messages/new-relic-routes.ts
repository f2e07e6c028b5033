/** `POST /v4/newrelic/event` and `/v4/newrelic/metric`. */
import { z } from 'zod'
import { refused } from '../../http/endpoint/errors.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import { field, validate } from '../../http/endpoint/validation.ts'
import type { Clock } from '../../platform/types.ts'
import { ACCEPTED, NEW_RELIC_EVENT, NEW_RELIC_METRIC } from './descriptions.ts'
import { attributesOf, type NewRelicOutcome, type NewRelicSender, type NewRelicTarget } from './new-relic.ts'
import { statusOf } from './relay.ts'
import { shadowRefusal } from './shadow.ts'

export interface NewRelicRoutesDeps {
  readonly send: NewRelicSender
  readonly clock: Clock
}

export interface NewRelicRoutesSettings {
  readonly postNewRelicEvent: NewRelicTarget
  readonly postNewRelicMetric: NewRelicTarget
  readonly shadow: boolean
}

const TYPES = ['gauge', 'count', 'summary'] as const

const short = (max: number) => {
  const error = `must NOT have more than ${max} characters`
  return field.string().refine((value) => [...value].length <= max, { error })
}

const attributes = <T extends z.ZodType>(value: T) => field.array(field.object({ name: short(254), value })).default([])

const EVENT = field.object({
  eventType: short(254),
  timestamp: field.number().optional(),
  attributes: attributes(short(4096)),
})

const METRIC = field.object({
  name: short(254),
  type: z.enum(TYPES, { error: 'must be equal to one of the allowed values' }),
  value: field.number(),
  timestamp: field.number().optional(),
  interval: field.number().optional(),
  attributes: attributes(field.string()),
})

type Metric = z.output<typeof METRIC>

export function newRelicRoutes(deps: NewRelicRoutesDeps, settings: NewRelicRoutesSettings): ApiRoute[] {
  const { send, clock } = deps
  const { postNewRelicEvent: eventTarget, postNewRelicMetric: metricTarget, shadow } = settings
  const timeOf = (timestamp: number | undefined) => (timestamp && timestamp > 0 ? timestamp : clock.now())

  return [
    {
      methods: ['POST'],
      path: '/v4/newrelic/event',
      endpoint: 'newRelic.postNewRelicEvent',
      butler: true,
      scope: 'message:run',
      action: 'newrelic.event',
      summary: 'Send an event to New Relic',
      ...NEW_RELIC_EVENT,
      schemas: { body: EVENT, responses: ACCEPTED },
      async handle({ body }) {
        const event = validate('body', EVENT, body)
        if (shadow) throw shadowRefusal()
        const { timestamp: _time, eventType: _type, ...own } = attributesOf(eventTarget, event.attributes)
        const sent = { timestamp: timeOf(event.timestamp), eventType: event.eventType, ...own }
        const base = eventTarget.url.replace(/\/$/, '')
        return answer(
          'Failed posting event to New Relic',
          await send({
            target: eventTarget,
            url: ({ accountId }) => `${base}/v1/accounts/${encodeURIComponent(accountId)}/events`,
            body: JSON.stringify(sent),
          }),
        )
      },
    },
    {
      methods: ['POST'],
      path: '/v4/newrelic/metric',
      endpoint: 'newRelic.postNewRelicMetric',
      butler: true,
      scope: 'message:run',
      action: 'newrelic.metric',
      summary: 'Send a metric to New Relic',
      ...NEW_RELIC_METRIC,
      schemas: { body: METRIC, responses: ACCEPTED },
      async handle({ body }) {
        const metric = validate('body', METRIC, body)
        const interval = intervalOf(metric)
        if (shadow) throw shadowRefusal()
        const { name, type, value, timestamp } = metric
        const common = {
          timestamp: timeOf(timestamp),
          attributes: attributesOf(metricTarget, metric.attributes),
          ...interval,
        }
        return answer(
          'Failed posting metric to New Relic',
          await send({
            target: metricTarget,
            url: () => metricTarget.url,
            body: JSON.stringify([{ common, metrics: [{ name, type, value }] }]),
          }),
        )
      },
    },
  ]
}

/** A count or a summary covers a length of time, a gauge is a moment. */
function intervalOf({ type, interval }: Metric): { 'interval.ms'?: number } {
  if (type === 'gauge') return {}
  if (interval === undefined || interval <= 0) throw refused(400, `interval is required for type ${type}`)
  return { 'interval.ms': interval }
}

function answer(message: string, { usable, failed, unknown }: NewRelicOutcome): Response {
  const strangers = unknown.map((name) => `"${name}" has no credentials in thirdPartyToolsCredentials.newRelic`)
  if (usable === 0) {
    const reason = strangers.join('; ') || 'destinationAccount is empty'
    throw refused(503, 'No valid New Relic account configured', `${reason}.`)
  }
  if (failed.length > 0) {
    const failures = failed.map(({ account, detail }) => `"${account}": ${detail}`)
    const silent = failed.every((one) => one.silent)
    throw refused(statusOf({ silent }), message, [...failures, ...strangers].join('; '))
  }
  return new Response('Accepted', { status: 202, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}
