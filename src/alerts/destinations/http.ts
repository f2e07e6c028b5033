/** Destinations that are one HTTP request per message: they differ in the request and in reading the answer. */
import { type HttpResponse, jsonOf, parseRetryAfter } from '../../platform/http-client.ts'
import { HttpError } from '../../platform/http-exchange.ts'
import { MASK } from '../../platform/log-mask.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { cut } from '../texts/cut.ts'
import { textNeeds } from '../texts/needs.ts'
import type { DeliveryResult, Destination, Message, NamedDestination } from '../types.ts'
import { type ClientDeps, type ClientSettings, type ClientSource, createClientSource } from './client.ts'
import type { Pacing } from './pacing.ts'
import type { CommonSettings, Fields } from './settings.ts'
import type { DestinationDeps, DestinationType, HttpCall, HttpParts } from './types.ts'

/** Of what a service says about a refusal. */
const EXPLANATION_KEPT = 300
const MAX_ANSWER_BYTES = 1024 * 1024

/** A type whose `create` returns the parts that are its own. */
export function httpDestination<Config extends () => Fields>(
  type: DestinationType<Config, HttpParts>,
): DestinationType<Config> {
  return {
    ...type,
    create: (settings, deps, name) => createHttpDestination(deps, name, settings, type.create(settings, deps, name)),
  }
}

function createHttpDestination(
  deps: DestinationDeps,
  name: string,
  settings: CommonSettings,
  type: HttpParts,
): NamedDestination {
  const mask = createMasker(type.secrets)
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
      return { deliveryId, target, subject: text.title, body: mask(call.body ?? ''), payload: call }
    },
    ...createHttpAttempts(deps, settings, type),
  }
}

export interface AttemptDeps extends ClientDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Of Footman. */
  readonly version: string
  /** Needed where the parts have a `pace`. */
  readonly pacing?: Pacing
}

export type AttemptSettings = Pick<CommonSettings, 'timeout' | 'caFile' | 'rejectUnauthorized'>
type AttemptParts = Pick<HttpParts, 'secrets' | 'pace' | 'result' | 'second'>

/** How messages whose payload is an `HttpCall` are sent: one attempt each. */
export function createHttpAttempts(
  deps: AttemptDeps,
  settings: AttemptSettings,
  type: AttemptParts,
): Pick<Destination, 'deliver' | 'ready' | 'onReady'> & { close(): Promise<void> } {
  const { clock, log, pacing } = deps
  const { pace } = type
  const clients = new Map<string, ClientSource>()
  const mask = createMasker(type.secrets)

  /** One per certificate authority. */
  function clientsFor(tls: ClientSettings): ClientSource {
    const key = JSON.stringify([tls.caFile, tls.rejectUnauthorized])
    const known = clients.get(key)
    if (known) return known
    const source = createClientSource(deps, tls)
    clients.set(key, source)
    return source
  }

  async function exchange(call: HttpCall, deliveryId: string, signal: AbortSignal): Promise<HttpResponse> {
    const { method = 'POST', url, body, redirects, tls = settings } = call
    const client = await clientsFor(tls).client()
    if ('problem' in client) throw new SettingError(client.problem)
    const headers = {
      'User-Agent': `Footman/${deps.version}`,
      'Idempotency-Key': deliveryId,
      ...(body !== undefined && { 'Content-Type': 'application/json; charset=utf-8' }),
      ...call.headers,
    }
    const { timeout: timeoutMs } = settings
    const limits = { timeoutMs, signal, redirects, maxBodyBytes: MAX_ANSWER_BYTES, statusSuffices: true }
    return client.request({ method, url, headers, body, ...limits })
  }

  async function send(message: Message, signal: AbortSignal): Promise<DeliveryResult> {
    const waitMs = pace && pacing ? pacing.take(pace.key, pace.perMinute) : 0
    if (waitMs > 0) return { outcome: 'retry', detail: `at most ${pace?.perMinute} a minute`, retryAfterMs: waitMs }
    const call = message.payload as HttpCall
    if (call.announcement) log.info(call.announcement)
    try {
      const first = await exchange(call, message.deliveryId, signal)
      const second = type.second?.(first, call)
      if (!second) return judge(first)
      const result = judge(await exchange(second, message.deliveryId, signal))
      return second.note && result.outcome === 'delivered'
        ? { ...result, detail: `${result.detail}, ${second.note}` }
        : result
    } catch (error) {
      if (error instanceof SettingError) return { outcome: 'retry', detail: error.message, slow: true }
      return httpFailure(error)
    }
  }

  function judge(response: HttpResponse): DeliveryResult {
    const result = (type.result ?? httpResult)(response, clock.now())
    if (result.outcome === 'delivered') return result
    if (result.outcome === 'retry' && result.retryAfterMs && pace) pacing?.hold(pace.key, result.retryAfterMs)
    const said = explanation(response, mask)
    return { ...result, detail: said ? `${result.detail}: ${said}` : result.detail }
  }

  return {
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    ...(pace && pacing ? pacedReadiness(pacing, pace) : {}),
    async close() {
      for (const source of clients.values()) source.close()
    },
  }
}

/** While the service would refuse, messages wait without using up attempts. */
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

/** The peer may be right in a moment. */
const TEMPORARY = [408, 425, 429]
/** What a person usually repairs: tried again at the largest spacing. */
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

/** A pause that the peer asks for in a way of its own. */
export function retryAfter({ status }: HttpResponse, ms: number): DeliveryResult {
  const retryAfterMs = Math.min(Math.ceil(ms), MAX_RETRY_AFTER_MS)
  return { outcome: 'retry', detail: `HTTP ${status}`, retryAfterMs }
}

/** A request without an answer: always worth another try. The message names host and port only. */
export function httpFailure(error: unknown): DeliveryResult {
  if (!(error instanceof HttpError)) return { outcome: 'retry', detail: 'the request could not be sent' }
  return { outcome: 'retry', detail: error.message, peerDown: error.kind !== 'aborted' && error.kind !== 'tooLarge' }
}

/** Shorter values would mask ordinary words; as secrets they would be worth nothing. */
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

/** `host:port` of an address; what a person recognises without seeing secrets. */
export function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '(not a valid address)'
}
