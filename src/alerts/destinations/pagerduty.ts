/** PagerDuty: incidents by the Events API v2. A recovery resolves the incident of the same subject. */
import { z } from 'zod'
import { choice } from '../../config/fields.ts'
import { onOneLine } from '../../platform/visible.ts'
import { cut, cutStart, utf8 } from '../message-text/cut.ts'
import { appIdOf, nameOfSubject } from '../message-text/labels.ts'
import { httpDestination } from './http.ts'
import { type HttpRenderInput, TEXT_NEEDS } from './types.ts'

/** By region. */
const HOST = { us: 'events.pagerduty.com', eu: 'events.eu.pagerduty.com' } as const
const SUMMARY_LIMIT = 1024
const KEY_LIMIT = 255
/** In bytes; an event of 512 KB is refused. */
const EVENT_LIMIT = 500_000
/** Every field but text and script log has this limit, so that the event always fits. */
const FIELD_LIMIT = 1024
const TEXT_LIMIT = 60_000

const config = () => ({
  routingKey: z.string().length(32, { error: 'must be the integration key of 32 characters' }).meta({
    description: 'Integration key, 32 characters.',
    label: 'Integration key',
    hint: 'PagerDuty: Services > your service > Integrations > Events API v2.',
    secret: true,
  }),
  region: choice('Region of the account.', ['us', 'eu'], 'us').meta({
    label: 'Region',
    hint: 'Where the account is.',
    texts: { us: 'United States', eu: 'Europe' },
  }),
})

export const pagerduty = httpDestination({
  title: 'PagerDuty',
  about: 'Incidents for people on call, closed when the task is well again.',
  purpose: 'incident',
  config,
  server: ({ region }) => ['region', `https://${HOST[region]}`],
  create: ({ routingKey, region }) => ({
    needs: TEXT_NEEDS,
    target: HOST[region],
    secrets: [routingKey],
    render: (input) => ({
      url: `https://${HOST[region]}/v2/enqueue`,
      body: JSON.stringify(input.kind === 'recovery' ? resolve(input, routingKey) : trigger(input, routingKey)),
    }),
  }),
})

function dedupKey({ text, kind, rule }: HttpRenderInput): string {
  return cut(kind === 'summary' ? `footman:summary:${rule.name}` : text.key, KEY_LIMIT)
}

function resolve(input: HttpRenderInput, routingKey: string) {
  return { routing_key: routingKey, event_action: 'resolve', dedup_key: dedupKey(input) }
}

function trigger(input: HttpRenderInput, routingKey: string) {
  const withoutLog = incident(input, routingKey, undefined)
  const tail = String(input.text.variables.scriptLogTail ?? '').replaceAll('\r\n', '\n')
  const room = EVENT_LIMIT - utf8(JSON.stringify(withoutLog))
  return incident(input, routingKey, cutStart(tail, room, escaped) || undefined)
}

const field = (text: string) => cut(onOneLine(text), FIELD_LIMIT)

/** Bytes as a JSON text. */
const escaped = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2

function incident(input: HttpRenderInput, routingKey: string, scriptLogTail: string | undefined) {
  const { event, text, severity } = input
  return {
    routing_key: routingKey,
    event_action: 'trigger',
    dedup_key: dedupKey(input),
    client: 'Footman',
    client_url: String(text.variables.consoleUrl || text.variables.qlikSenseQMC || '') || undefined,
    links: text.links.map(({ url, text: label }) => ({ href: url, text: label })),
    payload: {
      summary: cut(text.title, SUMMARY_LIMIT),
      timestamp: new Date(event.receivedAt).toISOString(),
      severity,
      // PagerDuty refuses an event without a source.
      source: field(event.host) || 'Footman',
      component: field(nameOfSubject(event)) || undefined,
      group: field(event.app?.stream?.name ?? '') || undefined,
      class: event.type,
      custom_details: {
        text: cut(text.text, TEXT_LIMIT),
        taskId: event.taskId || undefined,
        appId: appIdOf(event) || undefined,
        executionId: event.executionId || undefined,
        scriptLogTail,
      },
    },
  }
}
