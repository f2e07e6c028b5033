/** Access control as `Butler.footman.access` describes it. */

import { join } from 'node:path'
import { errorText, StartError } from '../../platform/errors.ts'
import { createHttpClient } from '../../platform/http-client.ts'
import { parseOutsideJson } from '../../platform/json.ts'
import { createRecurringJob, type RecurringJob } from '../../platform/recurring-job.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { createZoneTimes, type ZoneTimes } from '../../platform/zone-times.ts'
import type { Contact } from '../endpoint/caller.ts'
import type { BrowserRules } from '../middleware/browser-rules.ts'
import { type CertificateGrantSettings, createCertificateCheck } from './certificates.ts'
import { type AccessControl, createClosedAccess, createOpenAccess } from './control.ts'
import type { GrantSettings } from './grants.ts'
import type { JwtCheck, JwtSettings } from './jwt.ts'
import { compileKeys, createKeyCheck, createLocalKey, type KeySettings, type KnownKey, LOCAL_KEY_FILE } from './keys.ts'

export interface AccessSettings {
  readonly enable: boolean
  readonly keys: readonly KeySettings[]
  readonly jwt?: (JwtSettings & { readonly publicKeyFile: string; readonly jwksUrl: string }) | undefined
  readonly clientCertificates?:
    | { readonly caFile: string; readonly required: boolean; readonly grants: readonly CertificateGrantSettings[] }
    | undefined
  readonly anonymous: { readonly scopes: GrantSettings['scopes'] }
  readonly allowFrom: readonly string[]
  readonly auditKeyValues: boolean
}

export interface AccessDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Text of a PEM file. */
  readonly readFile: (path: string) => Promise<string>
  readonly isLocal: (contact: Contact) => boolean
  readonly browser: BrowserRules
  /** Where the local key is published; null = nowhere. */
  readonly dataDirectory: string | null
  /** A key was accepted from an address. */
  readonly onKeyUse?: ((key: KnownKey, address: string) => void) | undefined
  /** IANA zone in which days end; '' = that of this computer. */
  readonly timezone: string
}

export interface Access {
  readonly control: AccessControl
  /** Call it once the API listens. */
  opened(): Promise<void>
  /** The data directory is a new one: what local programs need is put there again. */
  republish(): Promise<void>
  close(): Promise<void>
}

/** Rejects with a `StartError` when a key file is unusable: better no API than one that lets the wrong people in. */
export async function buildAccess(deps: AccessDeps, settings: AccessSettings | undefined): Promise<Access> {
  if (!settings?.enable) {
    return {
      control: createOpenAccess(deps.isLocal, deps.browser),
      opened: async () => {},
      republish: async () => {},
      close: async () => {},
    }
  }
  const { log, clock, isLocal, browser, timezone } = deps
  const keys = compileKeys(settings.keys, timezone)
  const localKey = deps.dataDirectory === null ? null : createLocalKey(log, join(deps.dataDirectory, LOCAL_KEY_FILE))
  const tokens = settings.jwt ? await buildTokens(deps, settings.jwt) : null
  const expiry = createExpiryWatch({ log, clock, times: createZoneTimes(timezone) }, keys)
  const { clientCertificates } = settings

  return {
    control: createClosedAccess(
      {
        checkKey: createKeyCheck(keys, clock),
        keys,
        onKeyUse: deps.onKeyUse,
        now: () => clock.now(),
        isLocalKey: (presented) => localKey?.matches(presented) ?? false,
        checkToken: tokens?.check ?? null,
        checkCertificate: clientCertificates ? createCertificateCheck(clock, clientCertificates.grants) : null,
        isLocal,
        browser,
      },
      settings,
    ),
    async opened() {
      expiry.start()
      tokens?.warm()
      await localKey?.publish()
    },
    republish: async () => localKey?.publish(),
    async close() {
      expiry.stop()
      tokens?.close()
      await localKey?.withdraw()
    },
  }
}

interface Tokens {
  readonly check: JwtCheck
  warm(): void
  close(): void
}

async function buildTokens(deps: AccessDeps, settings: NonNullable<AccessSettings['jwt']>): Promise<Tokens> {
  const { createJwtCheck, createKeySet, readPublicKey } = await import('./jwt.ts')
  const { clock, log } = deps
  const { secret, publicKeyFile, jwksUrl } = settings
  const fixed = { warm: () => {}, close: () => {} }
  if (secret !== '') return { ...fixed, check: createJwtCheck(clock, { secret }, settings) }
  if (publicKeyFile !== '') {
    const publicKey = await readKeyFile(deps, publicKeyFile, readPublicKey)
    return { ...fixed, check: createJwtCheck(clock, { publicKey }, settings) }
  }
  const client = createHttpClient({ maxSockets: 2 })
  const fetchJson = async (url: string, timeoutMs: number): Promise<unknown> => {
    const answer = await client.request({ url, timeoutMs, maxBodyBytes: MAX_KEY_SET_BYTES })
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
    return parseOutsideJson(answer.text())
  }
  const keySet = createKeySet({ clock, log, fetchJson }, jwksUrl)
  return {
    check: createJwtCheck(clock, { keySet: keySet.keyFor }, settings),
    warm: () => void keySet.warm(),
    close: () => client.close(),
  }
}

const MAX_KEY_SET_BYTES = 1_048_576

async function readKeyFile<Key>({ readFile }: AccessDeps, path: string, read: (pem: string) => Key): Promise<Key> {
  try {
    return read(await readFile(path))
  } catch (error) {
    throw new StartError(`footman.access.jwt.publicKeyFile cannot be used (${path}): ${errorText(error)}`, {
      cause: error,
    })
  }
}

const DAY_MS = 86_400_000
const WARN_BEFORE_MS = 14 * DAY_MS

/** Warns at the start and once a day about keys that end within two weeks or have ended. */
function createExpiryWatch(
  deps: { log: Logger; clock: Clock; times: ZoneTimes },
  keys: readonly KnownKey[],
): RecurringJob {
  return createRecurringJob({ everyMs: DAY_MS, firstMs: 0, unref: true }, () => {
    const now = deps.clock.now()
    for (const { id, expiresAt } of keys) {
      if (expiresAt - now > WARN_BEFORE_MS) continue
      const verb = expiresAt <= now ? 'has expired' : 'expires'
      deps.log.warn(`ACCESS: API key ${id} ${verb} at ${deps.times.text(expiresAt)}`)
    }
  })
}
