/** The database of `Butler.influxDb`, as one thing: connection, login, making of the database, writing. */

import type { DeliveryResult } from '../../alerts/types.ts'
import type { BackoffSettings } from '../../platform/backoff.ts'
import { errorText } from '../../platform/errors.ts'
import { type HttpResponse, parseRetryAfter } from '../../platform/http-client.ts'
import { HttpError } from '../../platform/http-exchange.ts'
import { saysTooLarge } from '../../platform/too-large.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import {
  type ClientSource,
  createConnection,
  createExplanation,
  type InfluxConnection,
  type InfluxRequest,
  type InfluxTarget,
  type TargetConfig,
  targetOf,
} from './connection.ts'
import { createDatabaseMaker, type DatabaseMaker } from './database.ts'
import { lineOf, type NameValue } from './line.ts'
import type { InfluxServer, WritableLine } from './types.ts'

export interface InfluxServerDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly clients: ClientSource
}

export interface InfluxServerSettings extends TargetConfig {
  /** Tags of every point. */
  readonly tag: { readonly static: readonly NameValue[] }
  /** Between tries to make the database; default from 5 s to 5 minutes. */
  readonly databaseRetry?: BackoffSettings
}

export interface BuiltInfluxServer extends InfluxServer {
  readonly database: DatabaseMaker
  close(): void
}

export function createInfluxServer(deps: InfluxServerDeps, settings: InfluxServerSettings): BuiltInfluxServer {
  const { clock, log, clients } = deps
  const target = targetOf(settings)
  const connection = createConnection(clients, target)
  const underWay = new Set<Promise<unknown>>()
  const quiet = () => Promise.allSettled(underWay)
  const database = createDatabaseMaker({ connection, log, quiet }, settings, settings.databaseRetry)
  const write = createLineWriter({ target, send, clock, log, makeDatabase: database.make })
  let takesPoints = true
  async function send(request: InfluxRequest): Promise<HttpResponse> {
    await database.idle()
    const sending = connection.request(request)
    underWay.add(sending)
    const ended = () => void underWay.delete(sending)
    sending.then(ended, ended)
    return sending
  }

  return {
    description: `${target.name} at ${target.base}`,
    lineOf: (point, nanoseconds) => lineOf(point, settings.tag.static, nanoseconds),
    get takesPoints() {
      return takesPoints
    },
    async write(lines, signal) {
      const results = await write(lines, signal)
      // Being cut off says nothing about InfluxDB.
      if (!signal.aborted && results.length > 0) takesPoints = results.some(({ outcome }) => outcome !== 'retry')
      return results
    },
    database,
    close: connection.close,
  }
}

interface WriterDeps {
  readonly target: InfluxTarget
  readonly send: InfluxConnection['request']
  readonly clock: Clock
  readonly log: Logger
  /** Makes what is missing; true when it is there now, so that the points can leave soon. */
  readonly makeDatabase: () => Promise<boolean>
}

/** How often a problem that a person has to repair is logged. */
const COMPLAINT_MS = 60_000
/** Newer versions of InfluxDB 3 take new tags at any time, the first ones did not. */
const ABOUT_TAGS = /\b(new|immutable)\b.*\btags?\b|\btags?\b.*\b(new|immutable)\b/i

function createLineWriter({ target, send, clock, log, makeDatabase }: WriterDeps) {
  const explain = createExplanation(target.secrets)
  let complainedAt = Number.NEGATIVE_INFINITY
  let refusal = { text: '', at: 0 }

  async function post(lines: readonly string[], signal: AbortSignal): Promise<DeliveryResult> {
    try {
      const response = await send({
        method: 'POST',
        path: target.writePath,
        headers: { 'Content-Type': 'text/plain; charset=utf-8' },
        body: lines.join('\n'),
        signal,
      })
      const result = writeResult(response, clock.now(), explain)
      return response.status === 404 ? await missing(result) : result
    } catch (error) {
      return noAnswer(error)
    }
  }

  async function missing(result: DeliveryResult): Promise<DeliveryResult> {
    const made = await makeDatabase()
    return made ? { outcome: 'retry', detail: `${target.name} was missing and is there now` } : result
  }

  function complain(result: DeliveryResult): void {
    if (result.outcome !== 'retry' || !result.slow || clock.now() - complainedAt < COMPLAINT_MS) return
    complainedAt = clock.now()
    log.error(`INFLUXDB: Points wait because ${target.base} does not take them: ${result.detail}`)
  }

  async function write(lines: readonly WritableLine[], signal: AbortSignal): Promise<readonly DeliveryResult[]> {
    if (lines.length === 0) return []
    const result = await post(
      lines.map(({ line }) => line),
      signal,
    )
    complain(result)
    if (result.outcome !== 'rejected') return lines.map(() => result)
    if (lines.length === 1) return [await alone(lines[0]!, result, signal)]
    const middle = lines.length >> 1
    const first = await write(lines.slice(0, middle), signal)
    return [...first, ...(await write(lines.slice(middle), signal))]
  }

  async function alone({ line, bare: bareOf }: WritableLine, refused: DeliveryResult, signal: AbortSignal) {
    const bare = ABOUT_TAGS.test(refused.detail) ? bareOf?.() : null
    if (bare && bare !== line) {
      log.warn(`INFLUXDB: Written without the tags from Qlik Sense: ${refused.detail}`)
      const result = await post([bare], signal)
      if (result.outcome !== 'rejected') return result
    }
    const measurement = /^(?:\\.|[^, ])*/.exec(line)?.[0]
    logRefusal(`INFLUXDB: A point of ${measurement} was refused: ${refused.detail}`)
    return refused
  }

  /** The same text about hundreds of points is logged once a minute. */
  function logRefusal(text: string): void {
    const isNew = text !== refusal.text || clock.now() - refusal.at >= COMPLAINT_MS
    if (isNew) refusal = { text, at: clock.now() }
    log[isNew ? 'error' : 'verbose'](text)
  }

  return write
}

/** The points are at fault, or some of them. */
const REFUSED = [400, 413, 422]
/** It may take them in a moment. */
const TEMPORARY = [408, 425, 429]

/** `explain` gives what the server says. Everything that is not about the points themselves waits for a person. */
function writeResult(response: HttpResponse, now: number, explain: (response: HttpResponse) => string): DeliveryResult {
  const { status, headers } = response
  if (status >= 200 && status < 300) {
    // A login page of some gateway has taken nothing.
    if (!/html/.test(headers['content-type'] ?? '')) return { outcome: 'delivered', detail: `HTTP ${status}` }
    return waiting('a web page answered instead of InfluxDB', { slow: true })
  }
  const said = explain(response)
  const detail = said ? `HTTP ${status}: ${said}` : `HTTP ${status}`
  if (REFUSED.includes(status)) {
    const tooLarge = saysTooLarge({ status, text: () => said })
    return { outcome: 'rejected', detail, ...(tooLarge && { tooLarge }) }
  }
  if (!TEMPORARY.includes(status) && status < 500) return waiting(detail, { slow: true })
  const retryAfterMs = parseRetryAfter(headers['retry-after'], now)
  return waiting(detail, retryAfterMs === null ? {} : { retryAfterMs })
}

/** A problem of the server, not of the points: one attempt at a time shows when it is over. */
function waiting(detail: string, more: { readonly slow?: boolean; readonly retryAfterMs?: number }): DeliveryResult {
  return { outcome: 'retry', detail, ...more, peerDown: true }
}

/** A request without an answer. */
function noAnswer(error: unknown): DeliveryResult {
  if (!(error instanceof HttpError)) {
    return waiting(errorText(error), { slow: true })
  }
  return { outcome: 'retry', detail: error.message, peerDown: error.kind !== 'aborted' && error.kind !== 'tooLarge' }
}
