/** Writes lines; finds the ones that InfluxDB refuses, so that they cost their neighbours nothing. */
import type { DeliveryResult } from '../../alerts/types.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { createExplanation, noAnswer, writeResult } from './answer.ts'
import type { InfluxConnection } from './connection.ts'
import type { InfluxTarget } from './target.ts'
import type { WritableLine } from './types.ts'

export interface WriterDeps {
  readonly target: InfluxTarget
  readonly send: InfluxConnection['request']
  readonly clock: Clock
  readonly log: Logger
  /** Makes what is missing; true when it is there now, so that the points can leave soon. */
  readonly makeDatabase: () => Promise<boolean>
}

/** What a person has to repair is told this often. */
const COMPLAINT_MS = 60_000
/** Newer versions of InfluxDB 3 take new tags at any time, the first ones did not. */
const ABOUT_TAGS = /\b(new|immutable)\b.*\btags?\b|\btags?\b.*\b(new|immutable)\b/i

export function createLineWriter({ target, send, clock, log, makeDatabase }: WriterDeps) {
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
    tellRefusal(`INFLUXDB: A point of ${measurement} was refused: ${refused.detail}`)
    return refused
  }

  /** The same words about hundreds of points are told once a minute. */
  function tellRefusal(text: string): void {
    const isNew = text !== refusal.text || clock.now() - refusal.at >= COMPLAINT_MS
    if (isNew) refusal = { text, at: clock.now() }
    log[isNew ? 'error' : 'verbose'](text)
  }

  return write
}
