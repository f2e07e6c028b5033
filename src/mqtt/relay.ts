/** Handing a caller's message on to a service while the caller waits for the outcome. */
import { type Refusal, refusedWithCode } from '../http/errors.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../platform/http-client.ts'
import { HttpError } from '../platform/http-exchange.ts'

export type RelayResult =
  | { readonly ok: true }
  /** `detail` never holds the address beyond host and port, nor headers. */
  | { readonly ok: false; readonly silent: boolean; readonly detail: string }

const QUOTED = 200

/** One attempt: the caller decides whether to repeat it. Never rejects. */
export async function relay(http: HttpClient, service: string, request: HttpRequest): Promise<RelayResult> {
  try {
    const response = await http.request({ ...request, maxBodyBytes: 64 * 1024 })
    if (response.status >= 200 && response.status < 300) return { ok: true }
    return { ok: false, silent: false, detail: `${service} answered ${response.status}${quote(response)}` }
  } catch (error) {
    if (!(error instanceof HttpError)) return { ok: false, silent: false, detail: 'the request could not be sent' }
    return { ok: false, silent: error.kind === 'timeout', detail: error.message }
  }
}

/** 504 for a service that took the connection and stayed silent, else 502. */
export const statusOf = ({ silent }: { readonly silent: boolean }): 502 | 504 => (silent ? 504 : 502)

/** The reason that the service gives, as far as it is short text: `invalid_payload`. */
function quote(response: HttpResponse): string {
  const text = response.text().replace(/\s+/g, ' ').trim()
  if (text === '' || text.startsWith('<')) return ''
  return `: ${text.length > QUOTED ? `${text.slice(0, QUOTED)}...` : text}`
}

/** Footman only watches: nothing leaves it. */
export function shadowRefusal(): Refusal {
  return refusedWithCode(
    409,
    'SHADOW_MODE',
    'Shadow mode',
    'Footman runs in shadow mode, which sends nothing. Run it without --shadow and Butler.footman.shadow.',
  )
}
