/** Reads request bodies by the rules that load scripts depend on. */
import { protocolError } from '../platform/http/errors.ts'

/** 1 MiB. */
export const BODY_LIMIT = 1_048_576

/**
 * The parsed JSON. Text that parses as JSON is taken whatever the content type says; JSON `null` and no body at all are
 * undefined; other `text/plain` is the text itself. Throws E2 400, 413 or 415.
 */
export async function readBody(request: Request, limit = BODY_LIMIT): Promise<unknown> {
  const type = mediaType(request)
  const text = request.body ? await readText(request, limit) : ''
  if (text === '') {
    if (type === 'application/json') throw protocolError('FST_ERR_CTP_EMPTY_JSON_BODY')
    if (type !== '' && type !== 'text/plain') throw protocolError('FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return type === '' ? undefined : ''
  }
  const json = parseJson(text)
  if (json !== NOT_JSON) return json ?? undefined
  if (type === 'application/json') throw protocolError('FST_ERR_CTP_INVALID_JSON_BODY')
  if (type === 'text/plain') return text
  throw protocolError('FST_ERR_CTP_INVALID_MEDIA_TYPE')
}

function mediaType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
}

async function readText(request: Request, limit: number): Promise<string> {
  const announced = Number(request.headers.get('content-length') ?? Number.NaN)
  if (announced > limit) throw protocolError('FST_ERR_CTP_BODY_TOO_LARGE')
  // The decoder drops a byte order mark.
  if (!Number.isNaN(announced)) return new TextDecoder().decode(await request.arrayBuffer())
  return readChunks(request.body!, limit)
}

async function readChunks(body: ReadableStream<Uint8Array>, limit: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limit) throw protocolError('FST_ERR_CTP_BODY_TOO_LARGE')
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

const NOT_JSON = Symbol('not JSON')

/** A member `__proto__` makes JSON invalid: it could change the objects of whoever handles it. */
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
