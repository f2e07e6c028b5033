/** Compresses long texts for callers that accept gzip (`footman.api.compress`). */
import { gzip } from '../../platform/builtins.ts'
import type { Middleware } from '../context.ts'
import { longText } from '../endpoint/route.ts'

const LEVEL = 4

/** Whether `Accept-Encoding` names gzip, and not as refused (`q=0`). */
export const takesGzip = (acceptEncoding: string | null): boolean =>
  /(?:^|[\s,])gzip(?=\s*(?:[;,]|$))(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(acceptEncoding ?? '')

/** Streams and short answers stay as they are, and answers with an `ETag`, which names these bytes. */
export const compress: Middleware = (c, next) => {
  const answer = next(c)
  if (!takesGzip(c.env.headers.get('accept-encoding'))) return answer
  return answer instanceof Promise ? answer.then(compressed) : compressed(answer)
}

function compressed(response: Response): Response | Promise<Response> {
  const text = longText(response)
  const { status, headers } = response
  if (text === undefined || headers.has('etag')) return response
  return gzip(text, { level: LEVEL }).then((bytes) => {
    const packed = new Headers(headers)
    packed.set('content-encoding', 'gzip')
    if (!/accept-encoding/i.test(packed.get('vary') ?? '')) packed.append('vary', 'Accept-Encoding')
    return new Response(new Uint8Array(bytes), { status, headers: packed })
  })
}
