/** Shared by the parts of the hub and the pages of readers: settings, and what the pages are made of. */
import type { ApiRequest } from '../../http/endpoint/route.ts'
import type { Blobs } from '../../platform/blobs.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { SenderRules } from '../addresses.ts'
import type { Recipient } from '../entities/recipient.ts'
import type { ReportMailer } from '../mailer.ts'
import type { HubFiles } from './files.ts'
import type { createSigner, HubSettings, Logins } from './login.ts'
import type { HubRetention, HubStore } from './store.ts'

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

/** The pages of readers are made of this. */
export interface HubParts {
  readonly auth: HubSettings['auth']
  readonly timezone: string
  readonly store: HubStore
  readonly files: HubFiles
  readonly logins: Logins
  readonly signer: ReturnType<typeof createSigner>
  /**
   * Mails a link to an address that is known; `next` is the path to show after the login. Begins after the answer has left, so
   * that its time does not show whether the address is known.
   */
  readonly mailLink: (address: string, client: string, next: string) => void
  /** True for a POST that a page of the hub sent, or a program. */
  readonly isOwnForm: (request: ApiRequest) => boolean
  /** Whether the browser came by TLS, to Footman or to a proxy in front of it. */
  readonly isSecure: (request: ApiRequest) => boolean
  readonly now: () => number
}

/** Path of the hub for the browser of a request: `/footman/hub`. */
export const hubRoot = ({ prefix }: Pick<ApiRequest, 'prefix'>): string => `${prefix}/hub`
