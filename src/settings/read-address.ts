/** Reads a text from an address that a person has entered, within the limits of stored settings. */
import { strictText } from '../platform/encodings.ts'
import { type ConnectionGuard, createHttpClient } from '../platform/http-client.ts'

const TIMEOUT_MS = 15_000
const MAX_BYTES = 4 * 1_048_576
const REDIRECTS = 3

/** The text, in any encoding of Windows. Rejects with the reason in words. `timeoutMs`: of each address on the way. */
export async function readAddress(address: string, guard: ConnectionGuard, timeoutMs = TIMEOUT_MS): Promise<string> {
  const http = createHttpClient({ keepAlive: false, proxyEnv: process.env })
  try {
    let url = webAddress(address)
    for (let left = REDIRECTS; ; left--) {
      // Each address on the way is checked by itself.
      const request = { url, timeoutMs, maxBodyBytes: MAX_BYTES, ...(await guard(url.href)) }
      const { status, headers, body } = await http.request(request)
      const location = status >= 300 && status < 400 ? (headers.location ?? null) : null
      if (location !== null && left > 0) url = webAddress(new URL(location, url).href)
      else if (status === 200) return strictText(body).text
      else throw new Error(`${url.host} answered HTTP ${status}`)
    }
  } finally {
    http.close()
  }
}

function webAddress(text: string): URL {
  const url = URL.parse(text.replace(/^webcal:/i, 'https:'))
  if (url && /^https?:$/.test(url.protocol)) return url
  throw new Error(`"${text}" is no address that starts with http:// or https://`)
}
