/** Reads request bodies by the rules that load scripts depend on. */

import { formatDuration } from '../../platform/duration.ts'
import {
  CharsetError,
  type DecodedText,
  declaredText,
  type Encoding,
  formatProblem,
  lenientText,
  strictText,
  TextError,
} from '../../platform/encodings.ts'
import { LossyJson, parseImportedJson, parseOutsideJson } from '../../platform/json.ts'
import { type Answer, type ApiContext, type Middleware, withAnswer } from '../context.ts'
import type { ApiRequest, ApiRoute, Method } from '../endpoint/route.ts'
import { clientClosed, protocolError, Refusal, refusal } from '../errors.ts'

/** 1 MiB. */
export const BODY_LIMIT = 1_048_576
/** 64 KiB: the most that is read of an unknown caller, such as the form of a sign-in. */
export const FORM_LIMIT = 65_536

/** How long a body may stand still. */
export const BODY_TIMEOUT_MS = 30_000
/** Bodies up to this size have to be there within that time as a whole. */
const SMALL_BYTES = 65_536
/** Larger ones may take so many times as long, when something comes all the time. */
const PATIENCE = 10

/** Whether the body is read for a method of this endpoint. */
export function takesBody(route: ApiRoute, method: Method): boolean {
  const fallback = method === 'POST' || method === 'PUT' || method === 'PATCH' ? 'json' : 'ignored'
  return (route.body ?? fallback) !== 'ignored'
}

const MUST_BE_JSON = 'The body must be JSON (application/json)'

/** The parts of an endpoint that decide how its body is read. */
type BodyRules = Pick<ApiRoute, 'body' | 'bodyLimit' | 'bodyFor' | 'ownBodyErrors' | 'isImport'>

export interface BodyReading {
  /** How long a body may stand still, milliseconds. */
  readonly timeoutMs: number
  readonly budget: BodyBudget
  /** The request, for `bodyFor`. */
  readonly requestOf: (c: ApiContext) => ApiRequest
}

/** Reads and parses the body; rejects with the refusal of a bad one. */
export function parseBody(route: BodyRules, { timeoutMs, budget, requestOf }: BodyReading): Middleware {
  const { bodyLimit = BODY_LIMIT, bodyFor } = route
  const read = async ({ req, env }: ApiContext, maxBytes: number, share: BodyShare): Promise<Received> => {
    const request = req.raw
    const bytes = await readBytes(request, { maxBytes, timeoutMs, share })
    if (route.body === 'bytes') return { body: bytes }
    const format = route.ownBodyErrors ? formatProblem(bytes) : null
    if (format !== null) throw refusal('INVALID_JSON', `${MUST_BE_JSON}; ${format}`)
    // Pages send UTF-8, and so does a node that has read the body before.
    const { text, encoding } = env.isChecked ? lenientText(bytes) : textIn(request, bytes)
    const body = parsed(
      text,
      mediaType(request),
      route.isImport && !env.isChecked ? parseImportedJson : parseOutsideJson,
    )
    // The text of a load script that is no JSON may have any bytes.
    if (encoding === 'windows-1252' && body !== text) refuseDamaged(bytes)
    return { body, encoding }
  }
  const receive = async (c: ApiContext, share: BodyShare): Promise<Received> => {
    if (!c.req.raw.body || !bodyFor) return read(c, bodyLimit, share)
    const maxBytes = await bodyFor(requestOf(c))
    share.isStrangers = maxBytes <= FORM_LIMIT
    return maxBytes === 0 ? { body: undefined } : read(c, maxBytes, share)
  }
  return (c, next): Answer => {
    // The body of a call that a page makes, or that another node has received, is counted already.
    const share = c.req.raw.body && !c.env.isChecked ? budget() : uncounted()
    return receive(c, share)
      .then(
        ({ body, encoding = 'utf-8' }) => {
          c.env.body = body
          return encoding === 'utf-8' || encoding === 'declared' ? next(c) : withEncoding(next(c), encoding)
        },
        (error: unknown) => {
          throw route.ownBodyErrors ? ownError(error, bodyLimit) : error
        },
      )
      .finally(() => share.release())
  }
}

interface Received {
  readonly body: unknown
  /** The encoding of a text. */
  readonly encoding?: Encoding
}

/** JSON is UTF-8; a caller that sends something else sees in the answer how it was read. */
const withEncoding = (answer: Answer, encoding: Encoding): Answer =>
  withAnswer(answer, (response) => {
    response.headers.set('x-body-encoding', encoding)
    return response
  })

/** Memory for the bodies that are read or in use at a time, of all callers together. */
const BUDGET_BYTES = 128 * 1_048_576
/** The part of it for unknown callers: a stranger must not use it up. */
const STRANGERS_PART = 1 / 4
const BUSY_RETRY_S = 5

/** The part of one request in the memory for bodies. */
interface BodyShare {
  /** The caller is unknown. */
  isStrangers: boolean
  /** Counts bytes. Throws 503 `TOO_MANY_BODIES` when there is no room for them. */
  take(bytes: number): void
  release(): void
}

const uncounted = (): BodyShare => ({ isStrangers: false, take() {}, release() {} })

/** Opens the share of a request. */
export type BodyBudget = () => BodyShare

/** The memory for request bodies of the process. */
export function createBodyBudget(most = BUDGET_BYTES): BodyBudget {
  let used = 0
  let usedByStrangers = 0
  return () => {
    let taken = 0
    const count = (bytes: number, isStrangers: boolean): void => {
      taken += bytes
      used += bytes
      if (isStrangers) usedByStrangers += bytes
    }
    return {
      isStrangers: false,
      take(bytes) {
        const isFull = this.isStrangers && usedByStrangers + bytes > most * STRANGERS_PART
        if (isFull || used + bytes > most) throw noRoom()
        count(bytes, this.isStrangers)
      },
      release() {
        count(-taken, this.isStrangers)
      },
    }
  }
}

/** 503 with `retry-after`. */
function noRoom(): Refusal {
  const details = 'Other requests with large bodies are under way. Nothing of this one was used. Send it again.'
  return refusal('TOO_MANY_BODIES', details, {}, { 'retry-after': String(BUSY_RETRY_S) })
}

function textIn({ headers }: Request, bytes: Uint8Array): DecodedText {
  try {
    return bytes.length === 0 ? lenientText(bytes) : declaredText(bytes, headers.get('content-type') ?? '', lenientText)
  } catch (error) {
    if (error instanceof CharsetError) throw refusal('UNKNOWN_CHARSET', error.message)
    if (error instanceof TextError) throw refusal('INVALID_JSON', `The body cannot be read: ${error.message}`)
    throw error
  }
}

/** UTF-8 with broken bytes in it would be stored with wrong letters: Windows-1252 is another thing. */
function refuseDamaged(bytes: Uint8Array): void {
  try {
    strictText(bytes)
  } catch (error) {
    if (error instanceof TextError) throw refusal('INVALID_JSON', `The body cannot be read: ${error.message}`)
    throw error
  }
}

/** The refusal of an unreadable body in the form of endpoints that the predecessor did not have. */
function ownError(error: unknown, maxBytes: number): unknown {
  if (!(error instanceof Refusal) || !String(error.body.code).startsWith('FST_ERR_CTP_')) return error
  const { cause } = error
  if (error.status !== 413)
    return refusal('INVALID_JSON', MUST_BE_JSON + (cause instanceof SyntaxError ? `; ${cause.message}` : '.'))
  const most = `${Math.floor(maxBytes / 1_048_576)} MiB`
  return refusal('BODY_TOO_LARGE', `At most ${most} are accepted.`, { error: 'Request body too large' })
}

function mediaType({ headers }: Request): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/**
 * The JSON of a body. Text that parses as JSON is taken with any content type; JSON `null` and no body at all are
 * undefined; other `text/plain` is the text itself. Throws E2 400 or 415, whose `cause` is the `SyntaxError`, or 400 `INVALID_JSON`
 * for a `LossyJson`.
 */
function parsed(text: string, type: string, parse: (text: string) => unknown): unknown {
  if (text === '') {
    if (type === JSON_TYPE) throw protocolError('FST_ERR_CTP_EMPTY_JSON_BODY')
    if (type !== '' && type !== 'text/plain') throw protocolError('FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return type === '' ? undefined : ''
  }
  try {
    return parse(text) ?? undefined
  } catch (error) {
    if (error instanceof LossyJson) throw refusal('INVALID_JSON', `The body cannot be used: ${error.message}`)
    if (type === 'text/plain') return text
    const code = type === JSON_TYPE ? 'FST_ERR_CTP_INVALID_JSON_BODY' : 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
    throw Object.assign(protocolError(code), { cause: error })
  }
}

const JSON_TYPE = 'application/json'

/**
 * Rejects with E2 413, with 408 `REQUEST_TIMEOUT` when the body stands still, and with 499 (`clientClosed`) when the client
 * goes away.
 */
async function readBytes(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  if (!request.body) return new Uint8Array()
  // Reading piece by piece costs a third of a small request.
  if (isSmall(request, limits)) return new Uint8Array(await readAtOnce(() => request.arrayBuffer(), limits.timeoutMs))
  return readChunks(request.body, limits)
}

interface BodyLimits {
  readonly maxBytes: number
  readonly timeoutMs: number
  readonly share: BodyShare
}

/** Throws E2 413 when the announced size is above the limit. Bytes of small bodies are counted here, as they come at once. */
function isSmall(request: Request, { maxBytes, share }: BodyLimits): boolean {
  if (!request.body) return true
  const announced = Number(request.headers.get('content-length') ?? Number.NaN)
  if (announced > maxBytes) throw protocolError('FST_ERR_CTP_BODY_TOO_LARGE')
  if (!(announced <= SMALL_BYTES)) return false
  share.take(announced)
  return true
}

function readAtOnce<T>(read: () => Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(timedOut(timeoutMs)), timeoutMs)
    const end = (settle: () => void) => {
      clearTimeout(timer)
      settle()
    }
    read().then(
      (content) => end(() => resolve(content)),
      () => end(() => reject(clientClosed())),
    )
  })
}

async function readChunks(body: ReadableStream<Uint8Array>, limits: BodyLimits): Promise<Uint8Array> {
  const { maxBytes, timeoutMs, share } = limits
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  const end = performance.now() + PATIENCE * timeoutMs
  let size = 0
  let isLate = false
  const giveUp = () => {
    isLate = true
    reader.cancel().catch(() => {})
  }
  const timer = setTimeout(giveUp, timeoutMs)
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(clientWent)
      if (isLate) throw timedOut(timeoutMs)
      if (done) break
      size += value.length
      if (size > maxBytes) throw protocolError('FST_ERR_CTP_BODY_TOO_LARGE')
      share.take(value.length)
      chunks.push(value)
      if (performance.now() > end) giveUp()
      else timer.refresh()
    }
  } finally {
    clearTimeout(timer)
    reader.cancel().catch(() => {})
  }
  return Buffer.concat(chunks)
}

/** The connection can serve no other request: the rest of this one may still come. */
function timedOut(timeoutMs: number): Refusal {
  const details = `The body of the request did not come: it stood still for ${formatDuration(timeoutMs)}, or took ${PATIENCE} times as long. Send it again.`
  return refusal('REQUEST_TIMEOUT', details, {}, { connection: 'close' })
}

/** Reading a body fails only with its connection. */
function clientWent(): never {
  throw clientClosed()
}
