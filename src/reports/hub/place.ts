/** Shared by the parts of the hub: settings, parts, and the place of the pages for the browser of a request. */
import { createHash } from 'node:crypto'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import type { BrowserRules } from '../../http/middleware/browser-rules.ts'
import type { Blobs } from '../../platform/blobs.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import tokens from '../../platform/tokens.css' with { type: 'text' }
import type { Clock, Logger } from '../../platform/types.ts'
import type { SenderRules } from '../addresses.ts'
import type { Recipient } from '../entities/recipient.ts'
import type { ReportMailer } from '../mailer.ts'
import styles from './assets/hub.css' with { type: 'text' }
import type { PageContext } from './frame.tsx'
import type { createSigner, HubSettings, Logins, Reader } from './login.ts'
import type { HubRetention, HubStore } from './store.ts'

/** The style sheet, and its name, which changes with it. */
export const STYLES = `${tokens}\n${styles}`
export const STYLESHEET = `hub.${createHash('sha256').update(STYLES).digest('hex').slice(0, 12)}.css`

export interface HubDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly blobs: Pick<Blobs, 'path'>
  readonly mailer: ReportMailer
  readonly recipients: () => readonly Pick<Recipient, 'email' | 'qlikUser' | 'active'>[]
  /** Addresses to which tasks send their tests. */
  readonly testers: () => readonly string[]
  /** Whether there is a run with this id. */
  readonly hasRun: (id: string) => boolean
}

export interface HubSettingsOf extends HubSettings, HubRetention, SenderRules {
  /** Address of Footman in mails, without slash at the end. */
  readonly base: string
  /** Offer the endpoints below `/v4`. */
  readonly restApi: boolean
  readonly timezone: string
  /** `Butler.footman.email.testMode.address` while that is on: no link goes to another address. */
  readonly testAddress: string | null
  /** Pauses between attempts to mail a link, ms. */
  readonly linkRetryMs?: readonly number[]
}

export interface HubParts {
  readonly store: HubStore
  readonly logins: Logins
  readonly signer: ReturnType<typeof createSigner>
  readonly browser: BrowserRules
  readonly now: () => number
}

/** Where the hub is for the browser of a request. */
export interface HubPlace {
  readonly auth: HubSettings['auth']
  /** `/hub`, behind the path of a proxy. Call it before the first `await`, as the others. */
  root(request: ApiRequest): string
  connection(request: ApiRequest): { readonly secure: boolean }
  context(request: ApiRequest, reader: Reader | null, now: number): PageContext
}

export function createPlace({ base, auth, timezone }: HubSettingsOf): HubPlace {
  const { host, protocol } = new URL(base)
  const usesBase = ({ headers }: ApiRequest) => headers.get('host')?.toLowerCase() === host.toLowerCase()
  const root = (request: ApiRequest) => `${request.prefix}/hub`
  return {
    auth,
    root,
    connection: (request) => ({ secure: request.secure || (usesBase(request) && protocol === 'https:') }),
    context: (request, reader, now) => ({ root: root(request), stylesheet: STYLESHEET, timezone, now, reader }),
  }
}
