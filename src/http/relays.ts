/**
 * Messages of callers that are handed on to a service, while the caller waits for the outcome: `POST /v4/newrelic/event`,
 * `POST /v4/newrelic/metric` and `PUT /v4/slackpostmessage`.
 */
import { z } from 'zod'
import { createHttpClient, type HttpClient, type HttpRequest, type HttpResponse } from '../platform/http-client.ts'
import { HttpError } from '../platform/http-exchange.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { type ApiRoute, route } from './endpoint/route.ts'
import { field } from './endpoint/validation.ts'
import { refused, shadowRefusal } from './errors.ts'

/** Sections of the configuration that the relays read. */
interface RelaysSettings {
  readonly slackNotification: { readonly restMessage: { readonly webhookURL: string } }
  readonly thirdPartyToolsCredentials: { readonly newRelic: readonly NewRelicAccount[] }
  readonly restServerEndpointsConfig: { readonly newRelic: Omit<NewRelicRoutesSettings, 'shadow'> }
}

/** The endpoints with their HTTP client. In shadow mode they refuse with 409. */
export function createRelays(
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  config: RelaysSettings,
  shadow: boolean,
): { readonly routes: readonly ApiRoute[]; readonly backends: readonly Service[] } {
  const http = createHttpClient({ proxyEnv: process.env })
  const send = createNewRelicSender({ http, log }, { accounts: config.thirdPartyToolsCredentials.newRelic })
  return {
    routes: [
      ...slackRoutes({ http, log }, { webhookURL: config.slackNotification.restMessage.webhookURL, shadow }),
      ...newRelicRoutes({ send, clock }, { ...config.restServerEndpointsConfig.newRelic, shadow }),
    ],
    backends: [{ name: 'client of relays', start: async () => {}, stop: async () => http.close() }],
  }
}

// New Relic.

interface NewRelicAccount {
  readonly accountName: string
  readonly insertApiKey: string
  readonly accountId: string
}

interface NameValue {
  readonly name: string
  readonly value: string
}

/** `restServerEndpointsConfig.newRelic.postNewRelicEvent` or `.postNewRelicMetric`. */
interface NewRelicTarget {
  readonly destinationAccount: readonly string[]
  readonly url: string
  readonly header: readonly NameValue[]
  readonly attribute: { readonly static: readonly NameValue[] }
}

interface NewRelicOutcome {
  /** Destination accounts that exist and have a key. */
  readonly usable: number
  readonly failed: readonly { readonly account: string; readonly silent: boolean; readonly detail: string }[]
  /** Destination accounts without credentials. */
  readonly unknown: readonly string[]
}

interface Posting {
  readonly target: NewRelicTarget
  readonly url: (account: NewRelicAccount) => string
  readonly body: string
}

type NewRelicSender = (posting: Posting) => Promise<NewRelicOutcome>

/** Sends to all destination accounts side by side. Never rejects: the outcome names the accounts that failed. */
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
function attributesOf(target: NewRelicTarget, requested: readonly NameValue[]): Record<string, string> {
  return Object.fromEntries([...target.attribute.static, ...requested].map(({ name, value }) => [name, value]))
}

interface NewRelicRoutesDeps {
  readonly send: NewRelicSender
  readonly clock: Clock
}

interface NewRelicRoutesSettings {
  readonly postNewRelicEvent: NewRelicTarget
  readonly postNewRelicMetric: NewRelicTarget
  readonly shadow: boolean
}

const newRelicAnswers = () => ({
  202: z.string().describe('Every account has accepted.'),
  409: 'Footman runs in shadow mode, which sends nothing.',
  502: 'At least one account of New Relic has refused or is unreachable.',
  503: 'No usable account is configured.',
  504: 'New Relic is silent.',
})

const METRIC_TYPES = ['gauge', 'count', 'summary'] as const

const short = (max: number) => {
  const error = `must NOT have more than ${max} characters`
  return field.string().refine((value) => [...value].length <= max, { error })
}

const attributes = <T extends z.ZodType>(value: T) => field.array(field.object({ name: short(254), value })).default([])

const EVENT = () =>
  field.object({
    eventType: short(254),
    timestamp: field.number().optional(),
    attributes: attributes(short(4096)),
  })

const METRIC = () =>
  field.object({
    name: short(254),
    type: z.enum(METRIC_TYPES, { error: 'must be equal to one of the allowed values' }),
    value: field.number(),
    timestamp: field.number().optional(),
    interval: field.number().optional(),
    attributes: attributes(field.string()),
  })

type Metric = z.output<ReturnType<typeof METRIC>>

export function newRelicRoutes(deps: NewRelicRoutesDeps, settings: NewRelicRoutesSettings): ApiRoute[] {
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
      action: 'newrelic.event',
      summary: 'Send an event to New Relic',
      body: EVENT,
      answers: newRelicAnswers,
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
      async handle({ body: event }, answer) {
        if (shadow) throw shadowRefusal()
        const { timestamp: _time, eventType: _type, ...own } = attributesOf(eventTarget, event.attributes)
        const sent = { timestamp: timeOf(event.timestamp), eventType: event.eventType, ...own }
        const base = eventTarget.url.replace(/\/$/, '')
        const outcome = await send({
          target: eventTarget,
          url: ({ accountId }) => `${base}/v1/accounts/${encodeURIComponent(accountId)}/events`,
          body: JSON.stringify(sent),
        })
        requireAccepted('Failed posting event to New Relic', outcome)
        return answer(202, 'Accepted')
      },
    }),
    route({
      method: 'POST',
      path: '/v4/newrelic/metric',
      switch: 'newRelic.postNewRelicMetric',
      butler: true,
      scope: 'message:run',
      action: 'newrelic.metric',
      summary: 'Send a metric to New Relic',
      body: METRIC,
      answers: newRelicAnswers,
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
      async handle({ body: metric }, answer) {
        const interval = intervalOf(metric)
        if (shadow) throw shadowRefusal()
        const { name, type, value, timestamp } = metric
        const common = {
          timestamp: timeOf(timestamp),
          attributes: attributesOf(metricTarget, metric.attributes),
          ...interval,
        }
        const outcome = await send({
          target: metricTarget,
          url: () => metricTarget.url,
          body: JSON.stringify([{ common, metrics: [{ name, type, value }] }]),
        })
        requireAccepted('Failed posting metric to New Relic', outcome)
        return answer(202, 'Accepted')
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

function requireAccepted(message: string, { usable, failed, unknown }: NewRelicOutcome): void {
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
}

// Slack.

interface SlackDeps {
  readonly http: HttpClient
  readonly log: Logger
}

interface SlackSettings {
  /** `slackNotification.restMessage.webhookURL`; empty = not configured. */
  readonly webhookURL: string
  readonly shadow: boolean
  /** Default 10 s. */
  readonly timeoutMs?: number
}

const SLACK_MESSAGE = () =>
  field.object({
    channel: field.string(),
    from_user: field.string(),
    msg: field.string(),
    emoji: field.string().optional(),
  })

type SlackMessage = z.output<ReturnType<typeof SLACK_MESSAGE>>

const GREETING = {
  channel: '#general',
  from_user: 'Footman the Bot',
  msg: 'Greetings from *Footman*',
  emoji: ':ghost:',
}

const SLACK_FAILED = 'Failed sending Slack message'
/** Slack refuses longer texts in one block. */
const BLOCK_LENGTH = 3000

export function slackRoutes(deps: SlackDeps, settings: SlackSettings): ApiRoute[] {
  return [
    route({
      method: 'PUT',
      path: '/v4/slackpostmessage',
      switch: 'slackPostMessage',
      butler: true,
      scope: 'message:run',
      action: 'slack.post',
      summary: 'Post a message to Slack',
      description: 'Formatting, links and mentions of Slack work in `msg`.',
      body: SLACK_MESSAGE,
      answers: () => ({
        201: z.strictObject({
          channel: z.string(),
          from_user: z.string(),
          msg: z.string(),
          emoji: z.string().optional(),
        }),
        409: 'Footman runs in shadow mode, which sends nothing.',
        502: 'Slack is unreachable or has refused the message.',
        503: 'The webhook of Slack is not configured.',
        504: 'Slack is silent.',
      }),
      examples: [{ name: 'greeting', body: GREETING, status: 201, answer: GREETING }],
      async handle({ body: message, note }, answer) {
        note({ target: [message.channel] })
        if (settings.shadow) throw shadowRefusal()
        await postToSlack(deps, settings, message)
        const { channel, from_user, msg, emoji } = message
        return answer(201, { channel, from_user, msg, emoji })
      },
    }),
  ]
}

async function postToSlack({ http, log }: SlackDeps, settings: SlackSettings, message: SlackMessage): Promise<void> {
  const { webhookURL, timeoutMs = 10_000 } = settings
  if (webhookURL === '') throw refused(503, SLACK_FAILED, 'Butler.slackNotification.restMessage.webhookURL is not set.')
  const result = await relay(http, 'Slack', {
    method: 'POST',
    url: webhookURL,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: slackBody(message),
    timeoutMs,
  })
  if (result.ok) return
  log.error(`SLACK SEND: ${result.detail}`)
  throw refused(statusOf(result), SLACK_FAILED, result.detail)
}

/** Formatting, links and mentions work in `mrkdwn` blocks. */
function slackBody({ channel, from_user, msg, emoji }: SlackMessage): string {
  return JSON.stringify({
    username: from_user,
    channel,
    ...(emoji && { icon_emoji: emoji }),
    blocks: pieces(msg).map((text) => ({ type: 'section', text: { type: 'mrkdwn', text } })),
  })
}

/** Long texts in several blocks, cut at the end of a line where there is one. */
function pieces(text: string): string[] {
  const found: string[] = []
  let rest = text
  while (rest.length > BLOCK_LENGTH) {
    const end = cutAt(rest)
    found.push(rest.slice(0, end))
    rest = rest.slice(end).replace(/^\n/, '')
  }
  return [...found, rest]
}

function cutAt(text: string): number {
  const line = text.lastIndexOf('\n', BLOCK_LENGTH)
  if (line > 0) return line
  // Not between the two halves of one character.
  return /[\uD800-\uDBFF]/.test(text[BLOCK_LENGTH - 1]!) ? BLOCK_LENGTH - 1 : BLOCK_LENGTH
}

// The request to a service.

type RelayResult =
  | { readonly ok: true }
  /** `detail` never holds the address beyond host and port, nor headers. */
  | { readonly ok: false; readonly silent: boolean; readonly detail: string }

const QUOTED = 200

/** One attempt: the caller decides whether to repeat it. Never rejects. */
async function relay(http: HttpClient, service: string, request: HttpRequest): Promise<RelayResult> {
  try {
    const response = await http.request({ ...request, maxBodyBytes: 64 * 1024 })
    if (response.status >= 200 && response.status < 300) return { ok: true }
    return { ok: false, silent: false, detail: `${service} answered ${response.status}${quote(response)}` }
  } catch (error) {
    if (!(error instanceof HttpError)) return { ok: false, silent: false, detail: 'the request could not be sent' }
    return { ok: false, silent: error.kind === 'timeout', detail: error.message }
  }
}

/** 504 for a service that took the connection and stayed silent, else 502. */
const statusOf = ({ silent }: { readonly silent: boolean }): 502 | 504 => (silent ? 504 : 502)

/** The reason that the service gives, as far as it is short text: `invalid_payload`. */
function quote(response: HttpResponse): string {
  const text = response.text().replace(/\s+/g, ' ').trim()
  if (text === '' || text.startsWith('<')) return ''
  return `: ${text.length > QUOTED ? `${text.slice(0, QUOTED)}...` : text}`
}
