/** The HTTP client of one destination, with its own certificate authority. */
import { readFile, stat } from 'node:fs/promises'
import { createHttpClient, type HttpClient, type HttpClientSettings } from './http-client.ts'

export interface ClientDeps {
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in capitals or not. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Replaced in tests. */
  readonly createClient?: (settings: HttpClientSettings) => HttpClient
}

export interface ClientSettings {
  readonly caFile: string
  /** Name of the key of the file in messages; default `caFile`. */
  readonly caName?: string
  readonly rejectUnauthorized: boolean
}

export interface ClientSource {
  /** The file of the authority is read with the first message, and again when it has changed. */
  client(): Promise<HttpClient | { readonly problem: string }>
  close(): void
}

const IDLE_TIMEOUT_MS = 15_000

export function createClientSource(
  deps: ClientDeps,
  { caFile, caName = 'caFile', rejectUnauthorized }: ClientSettings,
): ClientSource {
  const create = deps.createClient ?? createHttpClient
  let current: { readonly version: string; readonly client: HttpClient } | null = null

  function use(version: string, ca?: string): HttpClient {
    if (current?.version === version) return current.client
    current?.client.close()
    const tls = { ca, rejectUnauthorized }
    current = { version, client: create({ idleTimeoutMs: IDLE_TIMEOUT_MS, tls, proxyEnv: deps.environment }) }
    return current.client
  }

  async function withAuthority(): Promise<HttpClient | { problem: string }> {
    for (const path of deps.candidates(caFile)) {
      const file = await stat(path).catch(() => null)
      if (!file?.isFile()) continue
      const version = `${path} ${file.mtimeMs}`
      if (current?.version === version) return current.client
      const ca = await readFile(path, 'utf8').catch(() => null)
      if (ca !== null) return use(version, ca)
    }
    return { problem: `${caName} cannot be read: ${caFile}` }
  }

  return {
    client: async () => (caFile === '' ? use('') : withAuthority()),
    close: () => current?.client.close(),
  }
}
