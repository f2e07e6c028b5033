/** The about service of a Qlik Sense node (port 9032): which release it is. */
import { createHttpClient, type HttpClient } from '../platform/http-client.ts'
import type { QrsCertificates } from './qrs/transport.ts'

/** The members of `GET /v1/systeminfo` that are used; '' for those that are missing. */
export interface SystemInfo {
  readonly contentHash: string
  readonly senseId: string
  readonly version: string
  readonly deploymentType: string
  readonly releaseLabel: string
  readonly deprecatedProductVersion: string
  readonly productName: string
  readonly copyrightYearRange: string
}

export interface AboutClient {
  /** Rejects with the reason in a few words. */
  systemInfo(signal: AbortSignal): Promise<SystemInfo>
  close(): void
}

export interface AboutSettings {
  readonly host: string
  /** Default 9032. */
  readonly port?: number
  readonly rejectUnauthorized: boolean
  /** Null while they cannot be read. */
  readonly certificates: () => QrsCertificates | null
}

const PORT = 9032
const TIMEOUT_MS = 10_000

export function createAboutClient(settings: AboutSettings): AboutClient {
  const { host, port = PORT, rejectUnauthorized, certificates } = settings
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}/v1/systeminfo`
  let current: { readonly of: QrsCertificates; readonly http: HttpClient } | null = null

  function client(): HttpClient {
    const of = certificates()
    if (!of) throw new Error('the client certificates cannot be read')
    if (current?.of === of) return current.http
    current?.http.close()
    current = { of, http: createHttpClient({ keepAlive: false, tls: { ...of, rejectUnauthorized } }) }
    return current.http
  }

  return {
    async systemInfo(signal) {
      const answer = await client().request({ url, timeoutMs: TIMEOUT_MS, signal })
      if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
      const info = parse(answer.text())
      if (!info) throw new Error(`${url} answered with something else than JSON`)
      const of = (name: keyof SystemInfo) => (typeof info[name] === 'string' ? info[name] : '')
      return {
        contentHash: of('contentHash'),
        senseId: of('senseId'),
        version: of('version'),
        deploymentType: of('deploymentType'),
        releaseLabel: of('releaseLabel'),
        deprecatedProductVersion: of('deprecatedProductVersion'),
        productName: of('productName'),
        copyrightYearRange: of('copyrightYearRange'),
      }
    },
    close() {
      current?.http.close()
      current = null
    },
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
