/** Reads request bodies by the rules that load scripts depend on. */

import { formatDuration } from '../../platform/duration.ts'
import type { Answer, Middleware } from '../context.ts'
import type { ApiRoute, Method } from '../endpoint/route.ts'
import { clientClosed, protocolError, Refusal, refusal } from '../errors.ts'

/** 1 MiB. */
export const BODY_LIMIT = 1_048_576

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

/** The parts of an endpoint that decide how its body is read. */
type BodyRules = Pick<ApiRoute, 'body' | 'bodyLimit' | 'ownBodyErrors'>

/** Reads and parses the body; rejects with the refusal of a bad one. It may stand still for `timeoutMs`. */
export function parseBody(route: BodyRules = {}, timeoutMs = BODY_TIMEOUT_MS): Middleware {
  const { bodyLimit: maxBytes = BODY_LIMIT } = route
  const read = async (request: Request): Promise<unknown> => {
    if (route.body === 'bytes') return readBytes(request, maxBytes, timeoutMs)
    const type = mediaType(request)
    return parsed(await readText(request, maxBytes, timeoutMs), type)
  }
  return (c, next): Answer =>
    read(c.req.raw).then(
      (body) => {
        c.env.body = body
        return next(c)
      },
      (error: unknown) => {
        throw route.ownBodyErrors ? ownError(error, maxBytes) : error
      },
    )
}

/** The refusal of an unreadable body in the form of endpoints that the predecessor did not have. */
function ownError(error: unknown, maxBytes: number): unknown {
  if (!(error instanceof Refusal) || !String(error.body.code).startsWith('FST_ERR_CTP_')) return error
  if (error.status !== 413) return refusal('INVALID_JSON', 'The body must be JSON.')
  const most = `${Math.floor(maxBytes / 1_048_576)} MiB`
  return refusal('BODY_TOO_LARGE', `At most ${most} are accepted.`, { error: 'Request body too large' })
}

function mediaType({ headers }: Request): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/**
 * The JSON of a body. Text that parses as JSON is taken with any content type; JSON `null` and no body at all are
 * undefined; other `text/plain` is the text itself. Throws E2 400 or 415.
 */
function parsed(text: string, type: string): unknown {
  if (text === '') {
    if (type === JSON_TYPE) throw protocolError('FST_ERR_CTP_EMPTY_JSON_BODY')
    if (type !== '' && type !== 'text/plain') throw protocolError('FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return type === '' ? undefined : ''
  }
  const json = parseJson(text)
  if (json !== NOT_JSON) return json ?? undefined
  if (type === JSON_TYPE) throw protocolError('FST_ERR_CTP_INVALID_JSON_BODY')
  if (type === 'text/plain') return text
  throw protocolError('FST_ERR_CTP_INVALID_MEDIA_TYPE')
}

const JSON_TYPE = 'application/json'

/** The text of a body, without a byte order mark. Rejects as `readBytes`. */
async function readText(request: Request, maxBytes: number, timeoutMs: number): Promise<string> {
  if (!request.body) return ''
  // Reading piece by piece costs a third of a small request.
  if (isSmall(request, maxBytes)) return readAtOnce(() => request.text(), timeoutMs)
  return new TextDecoder().decode(await readBytes(request, maxBytes, timeoutMs))
}

/**
 * Rejects with E2 413, with 408 `REQUEST_TIMEOUT` when the body stands still, and with 499 (`clientClosed`) when the client
 * goes away.
 */
async function readBytes(request: Request, maxBytes: number, timeoutMs: number): Promise<Uint8Array> {
  if (!request.body) return new Uint8Array()
  if (isSmall(request, maxBytes)) return new Uint8Array(await readAtOnce(() => request.arrayBuffer(), timeoutMs))
  return readChunks(request.body, maxBytes, timeoutMs)
}

/** Throws E2 413 when the announced size is above the limit. */
function isSmall(request: Request, maxBytes: number): boolean {
  if (!request.body) return true
  const announced = Number(request.headers.get('content-length') ?? Number.NaN)
  if (announced > maxBytes) throw protocolError('FST_ERR_CTP_BODY_TOO_LARGE')
  return announced <= SMALL_BYTES
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

async function readChunks(body: ReadableStream<Uint8Array>, maxBytes: number, timeoutMs: number): Promise<Uint8Array> {
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

const NOT_JSON = Symbol('not JSON')

/** A member `__proto__` makes JSON invalid: it could change the objects of the code that handles it. */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return text.includes('__proto__') && holdsProto(value) ? NOT_JSON : value
  } catch {
    return NOT_JSON
  }
}

function holdsProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(holdsProto)
}
