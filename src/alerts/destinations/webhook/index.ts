/** Alerts as HTTP calls to addresses of the configuration. */
import type { HttpRequest } from '../../../platform/http-client.ts'
import type { Clock, Logger } from '../../../platform/types.ts'
import type { DeliveryResult, Destination, Message, RenderInput } from '../../types.ts'
import { httpFailure, httpResult } from '../http.ts'
import { type CertificateFiles, createHookClients } from './clients.ts'
import { type Hook, type HookSection, hookSections, type WebhookDestinationConfig, type WebhookKind } from './hooks.ts'
import { type WebhookFields, withQuery } from './payload.ts'

export interface WebhookDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly files: CertificateFiles
  /** Default 10,000. */
  readonly timeoutMs?: number
}

interface WebhookPayload {
  readonly hook: Hook
  readonly request: HttpRequest
}

const TIMEOUT_MS = 10_000
const MAX_REDIRECTS = 5
const MAX_ANSWER_BYTES = 1024 * 1024
const ACCEPT = 'application/json, text/plain, */*'

/** Every webhook is a delivery of its own: a bad one never stops the others. */
export function createWebhookDestination(deps: WebhookDeps, config: WebhookDestinationConfig): Destination {
  const { log, clock, timeoutMs = TIMEOUT_MS } = deps
  const sections = hookSections(config)
  const byRoute = new Map(sections.map((section) => [section.routeName, section]))
  const clients = createHookClients(deps.files)
  if (config.webhookNotification.enable) reportProblems(log, sections)

  function requestFor(hook: Hook, kind: WebhookKind, fields: WebhookFields, deliveryId: string): HttpRequest {
    const { httpMethod: method, webhookURL } = hook.config
    const headers = { Accept: ACCEPT, 'Idempotency-Key': deliveryId }
    const limits = { maxBodyBytes: MAX_ANSWER_BYTES, statusSuffices: true }
    const common = { method, timeoutMs, redirects: MAX_REDIRECTS, ...limits }
    if (method === 'GET') return { ...common, headers, url: withQuery(webhookURL, fields, kind.lowerCaseQuery) }
    const json = { ...headers, 'Content-Type': 'application/json' }
    return { ...common, headers: json, url: webhookURL, body: JSON.stringify(fields) }
  }

  async function render({ event, route, target, deliveryId }: RenderInput): Promise<Message> {
    const section = byRoute.get(route.name)
    const hook = section?.hooks.find((candidate) => candidate.target === target)
    if (!section || !hook) throw new Error(`the webhook ${target} is no longer in the configuration`)
    const fields = section.kind.fields(event)
    const payload: WebhookPayload = { hook, request: requestFor(hook, section.kind, fields, deliveryId) }
    return { deliveryId, target, subject: null, body: JSON.stringify(fields, null, 2), payload }
  }

  async function call(message: Message, signal: AbortSignal): Promise<DeliveryResult> {
    const { hook, request } = message.payload as WebhookPayload
    log.info(`[QSEOW] WEBHOOKOUT: Processing webhook "${hook.config.description}"`)
    const client = await clients.clientFor(hook.config)
    if ('problem' in client) return { outcome: 'retry', detail: client.problem, slow: true }
    try {
      return httpResult(await client.request({ ...request, signal }), clock.now())
    } catch (error) {
      return httpFailure(error)
    }
  }

  return {
    name: 'webhook',
    type: 'webhook',
    render,
    deliver: (batch, signal) => Promise.all(batch.map((message) => call(message, signal))),
    async close() {
      clients.close()
    },
  }
}

function reportProblems(log: Logger, sections: readonly HookSection[]): void {
  for (const { kind, hooks } of sections) {
    for (const { target, problem } of hooks) {
      if (problem) log.error(`[QSEOW] WEBHOOKOUT ${kind.label}: Invalid outgoing webhook config: ${target}: ${problem}`)
    }
  }
}
