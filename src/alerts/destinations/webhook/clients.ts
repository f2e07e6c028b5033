/** HTTP clients of webhooks: a common one, and one per private certificate authority. */
import { readFile, stat } from 'node:fs/promises'
import { createHttpClient, type HttpClient } from '../../../platform/http-client.ts'
import type { WebhookConfig } from '../../config-webhook.ts'

export interface CertificateFiles {
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in capitals or not; absent = no proxies. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export interface HookClients {
  /** A certificate that cannot be read is a problem of this webhook only; it is looked for again at every call. */
  clientFor(config: WebhookConfig): Promise<HttpClient | { readonly problem: string }>
  close(): void
}

interface CachedClient {
  /** Path and time of the certificate file: a renewed one makes a new client. */
  readonly version: string
  readonly client: HttpClient
}

/** A call that takes longer is not worth a connection that is kept open. */
const IDLE_TIMEOUT_MS = 15_000

export function createHookClients({ candidates, environment }: CertificateFiles): HookClients {
  const common = createHttpClient({ idleTimeoutMs: IDLE_TIMEOUT_MS, proxyEnv: environment })
  const own = new Map<string, CachedClient>()

  async function withAuthority({ cert }: WebhookConfig): Promise<HttpClient | { problem: string }> {
    const found = await firstFile(candidates(cert.certCA))
    if (!found) return { problem: `the file of cert.certCA cannot be read: ${cert.certCA}` }
    const key = JSON.stringify([cert.certCA, cert.rejectUnauthorized])
    const cached = own.get(key)
    if (cached?.version === found.version) return cached.client
    const ca = await readFile(found.path, 'utf8').catch(() => null)
    if (ca === null) return { problem: `the file of cert.certCA cannot be read: ${found.path}` }
    const tls = { ca, rejectUnauthorized: cert.rejectUnauthorized }
    const client = createHttpClient({ idleTimeoutMs: IDLE_TIMEOUT_MS, tls, proxyEnv: environment })
    cached?.client.close()
    own.set(key, { version: found.version, client })
    return client
  }

  return {
    clientFor: async (config) => (config.cert.enable ? withAuthority(config) : common),
    close() {
      for (const { client } of own.values()) client.close()
      common.close()
    },
  }
}

async function firstFile(paths: readonly string[]): Promise<{ path: string; version: string } | null> {
  for (const path of paths) {
    const file = await stat(path).catch(() => null)
    if (file?.isFile()) return { path, version: `${path} ${file.mtimeMs}` }
  }
  return null
}
