/** `POST /v4/newrelic/event` and `/v4/newrelic/metric`, and sending to New Relic accounts: all of them are tried. */
import { z } from 'zod'
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import { field } from '../http/endpoint/validation.ts'
import { refused } from '../http/errors.ts'
import type { HttpClient } from '../platform/http-client.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { relay, shadowRefusal, statusOf } from './relay.ts'

export interface NewRelicAccount {
  readonly accountName: string
  readonly insertApiKey: string
  readonly accountId: string
}

interface NameValue {
  readonly name: string
  readonly value: string
}

/** `restServerEndpointsConfig.newRelic.postNewRelicEvent` or `.postNewRelicMetric`. */
export interface NewRelicTarget {
  readonly destinationAccount: readonly string[]
  readonly url: string
  readonly header: readonly NameValue[]
  readonly attribute: { readonly static: readonly NameValue[] }
}

export interface NewRelicOutcome {
  /** Destination accounts that exist and have a key. */
  readonly usable: number
  readonly failed: readonly { readonly account: string; readonly silent: boolean; readonly detail: string }[]
  /** Destination accounts without credentials. */
  readonly unknown: readonly string[]
}

export interface Posting {
  readonly target: NewRelicTarget
  readonly url: (account: NewRelicAccount) => string
  readonly body: string
}

export type NewRelicSender = (posting: Posting) => Promise<NewRelicOutcome>

export function createNewRelicSender(
  deps: { readonly http: HttpClient; readonly log: Logger },
  settings: { readonly accounts: readonly NewRelicAccount[]; readonly timeoutMs?: number },
): NewRelicSender {
  const { http, log } = deps
  const known = new Map(settings.accounts.map((account) => [account.accountName, account]))

  return async ({ target, url, body }) => {
    const names = [...new Set(target.destinationAccount)]
    const unknown = names.filter((name) => !known.get(name)?.insertApiKey)
    for (const name of unknown) {
      log.warn(`NEWRELIC: Account "${name}" is not in thirdPartyToolsCredentials.newRelic, or has no insertApiKey`)
    }
    const usable = names.filter((name) => !unknown.includes(name)).map((name) => known.get(name)!)
    const results = await Promise.all(
      usable.map(async (account) => ({
        account: account.accountName,
        result: await relay(http, 'New Relic', {
          method: 'POST',
          url: url(account),
          headers: headersOf(target.header, account),
          body,
          timeoutMs: settings.timeoutMs ?? 5000,
        }),
      })),
    )
    const failed = results.flatMap(({ account, result }) => (result.ok ? [] : [{ account, ...result }]))
    for (const { account, detail } of failed) log.error(`NEWRELIC: Sending to account "${account}" failed: ${detail}`)
    return { usable: usable.length, failed, unknown }
  }
}

function headersOf(extra: readonly NameValue[], account: NewRelicAccount): Record<string, string> {
  return {
    'Content-Type': 'application/json; charset=utf-8',
    ...Object.fromEntries(extra.map(({ name, value }) => [name, value])),
    'Api-Key': account.insertApiKey,
  }
}

/** Fixed attributes first; those of the request win. */
export function attributesOf(target: NewRelicTarget, requested: readonly NameValue[]): Record<string, string> {
  return Object.fromEntries([...target.attribute.static, ...requested].map(({ name, value }) => [name, value]))
}

export interface NewRelicRoutesDeps {
  readonly send: NewRelicSender
  readonly clock: Clock
}

export interface NewRelicRoutesSettings {
  readonly postNewRelicEvent: NewRelicTarget
  readonly postNewRelicMetric: NewRelicTarget
  readonly shadow: boolean
}

const ANSWERS = {
  202: z.string().describe('Every account has accepted.'),
  409: 'Footman runs in shadow mode, which sends nothing.',
  502: 'At least one account of New Relic has refused or is unreachable.',
  503: 'No usable account is configured.',
  504: 'New Relic is silent.',
} as const

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

export function newRelicRules(deps: NewRelicRoutesDeps, settings: NewRelicRoutesSettings): ApiRoute[] {
  const { send, clock } = deps
  const { postNewRelicEvent: eventTarget, postNewRelicMetric: metricTarget, shadow } = settings
  const timeOf = (timestamp: number | undefined) => (timestamp && timestamp > 0 ? timestamp : clock.now())

  return [
    route({
      method: 'POST',
      path: '/v4/newrelic/event',
      switch: 'newRelic.postNewRelicEvent',
      butler: true,
      scope: 'message:run',
      audit: 'newrelic.event',
      summary: 'Send an event to New Relic',
      body: EVENT,
      answers: ANSWERS,
      examples: [
        {
          name: 'event',
          body: {
            eventType: 'reload-failed',
            timestamp: 1642164296053,
            attributes: [{ name: 'host.name', value: 'dev.server.com' }],
          },
          status: 202,
          answer: 'Accepted',
        },
      ],
      async handle({ body: event }) {
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
    }),
    route({
      method: 'POST',
      path: '/v4/newrelic/metric',
      switch: 'newRelic.postNewRelicMetric',
      butler: true,
      scope: 'message:run',
      audit: 'newrelic.metric',
      summary: 'Send a metric to New Relic',
      body: METRIC,
      answers: ANSWERS,
      examples: [
        {
          name: 'gauge',
          body: {
            name: 'memory.heap',
            type: 'gauge',
            value: 2.3,
            timestamp: 1642164296053,
            attributes: [{ name: 'host.name', value: 'dev.server.com' }],
          },
          status: 202,
          answer: 'Accepted',
        },
        {
          name: 'count',
          body: { name: 'errors', type: 'count', value: 15, interval: 10_000 },
          status: 202,
          answer: 'Accepted',
        },
      ],
      async handle({ body: metric }) {
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
    }),
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
