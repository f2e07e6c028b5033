/** The TLS files of the API: read at the start, and again when they have changed. */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { errorText, StartError } from '../platform/errors.ts'
import type { ServeTls } from '../platform/http-server.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Logger } from '../platform/types.ts'

export interface TlsSettings {
  readonly cert: string
  readonly key: string
  /** Further authorities, sent along with the certificate; '' = none. */
  readonly ca: string
  /** Where clients show certificates, too. */
  readonly clients?: { readonly caFile: string; readonly required: boolean } | undefined
}

type ReadFile = (path: string) => Promise<string>

/** Rejects with a `StartError` that names the file that cannot be read. */
export async function readTls(settings: TlsSettings, readFile: ReadFile): Promise<ServeTls> {
  const load = async (what: string, path: string): Promise<string> => {
    try {
      return await readFile(path)
    } catch (error) {
      const reason = errorText(error)
      throw new StartError(`REST API TLS ${what} file could not be loaded (${path}): ${reason}`, { cause: error })
    }
  }
  const { clients } = settings
  const cert = await load('cert', settings.cert)
  const key = await load('key', settings.key)
  const ca = settings.ca ? `\n${await load('CA', settings.ca)}` : ''
  if (!clients) return { cert: cert + ca, key }
  return { cert: cert + ca, key, clients: { ca: await load('client CA', clients.caFile), required: clients.required } }
}

/** When the certificates end that the server shows and that it accepts clients with, milliseconds since 1970. */
export function certificateEnds({ cert, clients }: ServeTls): { name: string; expiresAt: number }[] {
  const files = [{ name: 'rest', pem: cert }, ...(clients ? [{ name: 'rest-clients', pem: clients.ca }] : [])]
  return files.map(({ name, pem }) => ({ name, expiresAt: Date.parse(new X509Certificate(pem).validTo) }))
}

export interface TlsWatch {
  /** Why the files on disk cannot be used; null = they can. */
  readonly problem: string | null
  stop(): void
}

export interface TlsWatchDeps {
  readonly log: Logger
  readonly readFile: ReadFile
  /** Puts the files to use; throws when they are unusable. */
  readonly use: (tls: ServeTls) => void
}

/** Looks at the files every `everyMs`. Unusable files are logged once, and the old ones stay in use. */
export function createTlsWatch(
  deps: TlsWatchDeps,
  settings: TlsSettings,
  initial: ServeTls,
  everyMs: number,
): TlsWatch {
  const { log } = deps
  let seen = JSON.stringify(initial)
  let problem = ''

  async function look(): Promise<void> {
    const tls = await readTls(settings, deps.readFile)
    const now = JSON.stringify(tls)
    if (now === seen) return
    checkPair(tls)
    deps.use(tls)
    seen = now
    const { validTo } = new X509Certificate(tls.cert)
    log.info(`MAIN: REST server uses the new TLS files; the certificate is valid until ${validTo}`)
  }

  async function check(): Promise<void> {
    try {
      await look()
      problem = ''
    } catch (error) {
      const reason = errorText(error)
      if (reason !== problem) log.error(`CERTIFICATE_INVALID: ${reason}. The REST server goes on with the old files.`)
      problem = reason
    }
  }

  const checks = createRecurringJob({ everyMs, unref: true }, check)
  checks.start()
  return {
    get problem() {
      return problem === '' ? null : problem
    },
    stop: () => void checks.stop(),
  }
}

/** Throws when the files cannot be used. Files that are being replaced do not fit together for a moment. */
export function checkPair({ cert, key, clients }: ServeTls): void {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error('The certificate and the key of the REST API do not belong together')
  }
  if (clients) new X509Certificate(clients.ca)
}
