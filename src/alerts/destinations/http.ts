/** Destinations that are one HTTP request per message: they differ in the request and in reading the answer. */

import {
  type ClientDeps,
  type ClientSettings,
  type ClientSource,
  createClientSource,
} from '../../platform/client-source.ts'
import { connectionFailure, failureText } from '../../platform/connection-failure.ts'
import { type ConnectionGuard, type HttpResponse, jsonOf, parseRetryAfter } from '../../platform/http-client.ts'
import { HttpError } from '../../platform/http-exchange.ts'
import { MASK } from '../../platform/log-mask.ts'
import { saysTooLarge } from '../../platform/too-large.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { cut } from '../message-text/cut.ts'
import { textNeeds } from '../message-text/writer.ts'
import { SHORTENED } from '../outbox/shorten.ts'
import type { DeliveryResult, Destination, Message, TargetedDestination } from '../types.ts'
import type { Pacing } from './pacing.ts'
import type { CommonSettings, Fields } from './settings.ts'
import type { DestinationDeps, DestinationType, HttpCall, HttpParts } from './types.ts'

/** Characters of the explanation in a refusal. */
const EXPLANATION_KEPT = 300
const MAX_ANSWER_BYTES = 1024 * 1024

/** A type whose `create` returns the parts that are its own. */
export function httpDestination<Config extends () => Fields>(
  type: DestinationType<Config, HttpParts>,
): DestinationType<Config> {
  return {
    ...type,
    create(settings, deps, name) {
      const [key] = type.server(settings, deps.newRelic.url) ?? ['']
      const parts = { ...type.create(settings, deps, name), key: `Butler.footman.destinations.${name}.${key}` }
      return createHttpDestination(deps, name, settings, parts)
    },
  }
}

function createHttpDestination(
  deps: DestinationDeps,
  name: string,
  settings: CommonSettings,
  type: HttpParts & { readonly key: string },
): TargetedDestination {
  const mask = createMasker(type.secrets)
  return {
    name,
    type: settings.type,
    needs: type.needs,
    ...(type.showsTextOnly && { needsFor: (texts) => textNeeds(texts, type.needs) }),
    targets: () => type.targets ?? [{ target: type.target, lane: name }],
    async render(input) {
      const written = await deps.texts.write(input, settings, type.escaped)
      const note = type.escaped?.(SHORTENED) ?? SHORTENED
      const isSilent = input.isShortened && !written.text.includes('Shortened')
      const text = isSilent ? { ...written, text: `${written.text}\n\n${note}` } : written
      const call = await type.render({ ...input, text })
      const { deliveryId, target } = input
      return { deliveryId, target, subject: text.title, body: mask(call.body ?? ''), payload: call }
    },
    ...createHttpAttempts(deps, settings, { ...type, pace: type.pace ?? pauseOf(name, type) }),
  }
}

/** The pause that a 429 asks for holds back the other messages of the destination too, where all go to one receiver. */
function pauseOf(name: string, { targets }: HttpParts): HttpParts['pace'] {
  return targets ? undefined : { key: `destination ${name}`, perMinute: Number.POSITIVE_INFINITY }
}

export interface SenderDeps extends ClientDeps {
  /** Version of Footman. */
  readonly version: string
  /** Absent: the address may be any. */
  readonly guard?: ConnectionGuard
}

export interface AttemptDeps extends SenderDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Needed where the parts have a `pace`. */
  readonly pacing?: Pacing
}

type AttemptSettings = Pick<CommonSettings, 'timeout' | 'caFile' | 'rejectUnauthorized'>
type AttemptParts = Pick<HttpParts, 'secrets' | 'pace' | 'result' | 'second'> & {
  /** Configuration key of the address, where the calls do not name theirs. */
  readonly key?: string
}

/** Sends messages whose payload is an `HttpCall`: one attempt each. */
export function createHttpAttempts(
  deps: AttemptDeps,
  settings: AttemptSettings,
  type: AttemptParts,
): Pick<Destination, 'deliver' | 'ready' | 'onReady'> & { close(): Promise<void> } {
  const { clock, log, pacing } = deps
  const { pace } = type
  const sender = createHttpSender(deps, settings)
  const mask = createMasker(type.secrets)

  async function send(message: Message, signal: AbortSignal): Promise<DeliveryResult> {
    const waitMs = pace && pacing ? pacing.take(pace.key, pace.perMinute) : 0
    if (waitMs > 0) return { outcome: 'retry', detail: `at most ${pace?.perMinute} a minute`, retryAfterMs: waitMs }
    const call = message.payload as HttpCall
    if (call.announcement) log[call.announcement.level](call.announcement.text)
    try {
      const first = await sender.exchange(call, message.deliveryId, signal)
      const second = type.second?.(first, call)
      if (!second) return judge(first)
      const result = judge(await sender.exchange(second, message.deliveryId, signal))
      return second.note && result.outcome === 'delivered'
        ? { ...result, detail: `${result.detail}, ${second.note}` }
        : result
    } catch (error) {
      return httpFailure(error, call.key ?? type.key ?? 'the address')
    }
  }

  function judge(response: HttpResponse): DeliveryResult {
    const result = (type.result ?? httpResult)(response, clock.now())
    if (result.outcome === 'delivered') return result
    if (result.outcome === 'retry' && result.retryAfterMs && pace) pacing?.hold(pace.key, result.retryAfterMs)
    const reason = explanation(response, mask)
    const isAboutSize = result.outcome === 'rejected' && saysTooLarge(response)
    return {
      ...result,
      ...(isAboutSize && { tooLarge: true }),
      detail: reason ? `${result.detail}: ${reason}` : result.detail,
    }
  }

  return {
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    ...(pace && pacing ? pacedReadiness(pacing, pace) : {}),
    close: async () => sender.close(),
  }
}

export interface HttpSender {
  /** One request, with `deliveryId` as its idempotency key. Rejects with errors that `httpFailure` understands. */
  exchange(call: HttpCall, deliveryId: string, signal: AbortSignal): Promise<HttpResponse>
  close(): void
}

export function createHttpSender(deps: SenderDeps, settings: AttemptSettings): HttpSender {
  const clients = new Map<string, ClientSource>()

  /** One per certificate authority. */
  function clientsFor(tls: ClientSettings): ClientSource {
    const key = JSON.stringify([tls.caFile, tls.rejectUnauthorized])
    const known = clients.get(key)
    if (known) return known
    const source = createClientSource(deps, tls)
    clients.set(key, source)
    return source
  }

  return {
    async exchange({ method = 'POST', url, headers, body, redirects, tls = settings }, deliveryId, signal) {
      const client = await clientsFor(tls).client()
      if ('problem' in client) throw new SettingError(client.problem)
      return client.request({
        method,
        url,
        headers: {
          'User-Agent': `Footman/${deps.version}`,
          'Idempotency-Key': deliveryId,
          ...(body !== undefined && { 'Content-Type': 'application/json; charset=utf-8' }),
          ...headers,
        },
        body,
        timeoutMs: settings.timeout,
        signal,
        redirects,
        ...(await deps.guard?.(url)),
        maxBodyBytes: MAX_ANSWER_BYTES,
        statusSuffices: true,
        // The outbox repeats a message whose answer is lost.
        repeatable: true,
      })
    },
    close() {
      for (const source of clients.values()) source.close()
    },
  }
}

/** While the service would refuse messages, they wait without using up attempts. */
function pacedReadiness(pacing: Pacing, { key, perMinute }: NonNullable<HttpParts['pace']>) {
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

/** A setting that must be corrected before a request can leave; the message names it. */
class SettingError extends Error {}

const EXPLAINING = ['description', 'error', 'message', 'errors'] as const

/** The reason that a JSON answer gives for a refusal, masked; empty when there is none. */
export function explanation(response: HttpResponse, mask: (text: string) => string): string {
  const answer = jsonOf(response)
  const values = EXPLAINING.map((key) => answer[key]).filter((value) => value !== undefined && value !== null)
  const texts = values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
  // Masked before it is cut, so that no half of a secret is left.
  return cut(mask(texts.join(' ')).replace(/\s+/g, ' ').trim(), EXPLANATION_KEPT)
}

/** Statuses after which the next attempt may succeed soon. */
const TEMPORARY = [408, 425, 429]
/** Statuses that usually need a change of settings: tried again at the largest interval. */
const REPAIRABLE = [401, 403, 404]
const MAX_RETRY_AFTER_MS = 3_600_000

/** `now` in milliseconds since 1970, for dates in `Retry-After`. The detail holds the status only, never the answer. */
export function httpResult({ status, headers }: HttpResponse, now: number): DeliveryResult {
  const detail = `HTTP ${status}`
  if (status >= 200 && status < 300) return { outcome: 'delivered', detail }
  if (REPAIRABLE.includes(status)) return { outcome: 'retry', detail, slow: true }
  if (!TEMPORARY.includes(status) && status < 500) return { outcome: 'rejected', detail }
  const retryAfter = parseRetryAfter(headers['retry-after'], now)
  if (retryAfter === null) return { outcome: 'retry', detail }
  return { outcome: 'retry', detail, retryAfterMs: Math.min(retryAfter, MAX_RETRY_AFTER_MS) }
}

/** `httpResult` for services whose 429 gives the pause in its body: `seconds`. */
export function resultWithPause(response: HttpResponse, now: number, seconds: unknown): DeliveryResult {
  const ms = response.status === 429 ? Number(seconds) * 1000 : Number.NaN
  if (!(ms > 0)) return httpResult(response, now)
  const retryAfterMs = Math.min(Math.ceil(ms), MAX_RETRY_AFTER_MS)
  return { outcome: 'retry', detail: `HTTP ${response.status}`, retryAfterMs }
}

/**
 * The result of a request without an answer: always another attempt. The detail names host and port of the address, and `key`,
 * the configuration key that holds it.
 */
export function httpFailure(error: unknown, key: string): DeliveryResult {
  if (error instanceof SettingError) return { outcome: 'retry', detail: error.message, slow: true }
  if (!(error instanceof HttpError)) return { outcome: 'retry', detail: 'the request could not be sent' }
  if (error.kind === 'closed') return { outcome: 'retry', detail: error.message, slow: true }
  if (error.kind === 'aborted' || error.kind === 'tooLarge')
    return { outcome: 'retry', detail: error.message, peerDown: false }
  const { host, port } = error
  const peer = { host, port, hostKey: `the host in ${key}`, portKey: `the port in ${key}` }
  return { outcome: 'retry', detail: failureText(connectionFailure(error, peer)), peerDown: true }
}

/** Shorter values would mask ordinary words. */
const MIN_LENGTH = 8

/** Replaces these values wherever they stand, in plain, JSON and URL form. */
export function createMasker(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= MIN_LENGTH)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
  const unique = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return (text) => unique.reduce((masked, form) => masked.replaceAll(form, MASK), text)
}

/** The parts of an address that may be secret: all behind the host, and its user and password. */
export function secretsOfUrl(address: string): readonly string[] {
  if (!URL.canParse(address)) return [address]
  const { pathname, search, username, password, searchParams } = new URL(address)
  const parts = pathname.split('/').filter((part) => part.length >= 12)
  return [address, `${pathname}${search}`, username, password, ...parts, ...searchParams.values()].filter(Boolean)
}

/** `host:port` of an address, which identifies it without showing secrets. */
export function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '(not a valid address)'
}
