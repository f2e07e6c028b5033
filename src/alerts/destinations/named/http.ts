/** A destination that is one HTTP request per message; the types differ in the request and in reading the answer. */

import type { HttpResponse } from '../../../platform/http-client.ts'
import { jsonOf } from '../../../platform/http-json.ts'
import type { DestinationConfig } from '../../config-destinations.ts'
import { cut } from '../../texts/cut.ts'
import { textNeeds } from '../../texts/needs.ts'
import type { DeliveryResult, Message, NamedDestination } from '../../types.ts'
import { httpFailure, httpResult } from '../http-result.ts'
import { createClientSource } from './client.ts'
import { createMasker } from './secrets.ts'
import type { HttpCall, HttpType, HttpTypeDeps } from './types.ts'

/** Of what a service says about a refusal. */
const EXPLANATION_KEPT = 300
const MAX_ANSWER_BYTES = 1024 * 1024

export function createHttpDestination(
  deps: HttpTypeDeps,
  name: string,
  settings: DestinationConfig,
  type: HttpType,
): NamedDestination {
  const { clock, pacing } = deps
  const { pace } = type
  const clients = createClientSource(deps, settings)
  const mask = createMasker(type.secrets)

  async function exchange(call: HttpCall, deliveryId: string, signal: AbortSignal): Promise<HttpResponse> {
    const client = await clients.client()
    if ('problem' in client) throw new SettingError(client.problem)
    const headers = {
      'User-Agent': `Footman/${deps.version}`,
      'Idempotency-Key': deliveryId,
      'Content-Type': 'application/json; charset=utf-8',
      ...call.headers,
    }
    const { timeout: timeoutMs } = settings
    const { method = 'POST', url, body } = call
    const limits = { timeoutMs, signal, maxBodyBytes: MAX_ANSWER_BYTES, statusSuffices: true }
    return client.request({ method, url, headers, body, ...limits })
  }

  async function send(message: Message, signal: AbortSignal): Promise<DeliveryResult> {
    const waitMs = pace ? pacing.take(pace.key, pace.perMinute) : 0
    if (waitMs > 0) return { outcome: 'retry', detail: `at most ${pace?.perMinute} a minute`, retryAfterMs: waitMs }
    const call = message.payload as HttpCall
    try {
      const first = await exchange(call, message.deliveryId, signal)
      const second = type.second?.(first, call)
      return judge(second ? await exchange(second, message.deliveryId, signal) : first)
    } catch (error) {
      if (error instanceof SettingError) return { outcome: 'retry', detail: error.message, slow: true }
      return httpFailure(error)
    }
  }

  function judge(response: HttpResponse): DeliveryResult {
    const result = (type.result ?? httpResult)(response, clock.now())
    if (result.outcome === 'delivered') return result
    if (result.outcome === 'retry' && result.retryAfterMs && pace) pacing.hold(pace.key, result.retryAfterMs)
    const said = explanation(response, mask)
    return { ...result, detail: said ? `${result.detail}: ${said}` : result.detail }
  }

  return {
    name,
    type: settings.type,
    needs: type.needs,
    ...(type.showsTextOnly && { needsFor: (texts) => textNeeds(texts, type.needs) }),
    targets: () => type.targets ?? [{ target: type.target, lane: name }],
    async render(input) {
      const text = await deps.texts.write(input, settings, type.escaped)
      const call = await type.render({ ...input, text })
      const { deliveryId, target } = input
      return { deliveryId, target, subject: text.title, body: mask(call.body), payload: call }
    },
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    ...(pace ? pacedReadiness(pacing, pace) : {}),
    async close() {
      clients.close()
    },
  }
}

/** While the service would refuse, messages wait without using up attempts. */
function pacedReadiness(pacing: HttpTypeDeps['pacing'], { key, perMinute }: NonNullable<HttpType['pace']>) {
  const listeners: (() => void)[] = []
  let isWaiting = false
  const free = () => {
    isWaiting = false
    for (const listener of listeners) listener()
  }
  return {
    ready() {
      if (pacing.isFree(key, perMinute)) return true
      if (!isWaiting) pacing.whenFree(key, perMinute, free)
      isWaiting = true
      return false
    },
    onReady: (listener: () => void) => void listeners.push(listener),
  }
}

/** What a person has to set right; the message names the setting. */
class SettingError extends Error {}

const EXPLAINING = ['description', 'error', 'message', 'errors'] as const

/** Why a service refuses, in its own words, when it answers in JSON. */
export function explanation(response: HttpResponse, mask: (text: string) => string): string {
  const answer = jsonOf(response)
  const said = EXPLAINING.map((key) => answer[key]).filter((value) => value !== undefined && value !== null)
  const texts = said.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
  // Masked before it is cut, so that no half of a secret is left.
  return cut(mask(texts.join(' ')).replace(/\s+/g, ' ').trim(), EXPLANATION_KEPT)
}
