/** Reads licences from QRS and releases access licences. Answers keep only the members that Footman uses. */
import { isGuid } from '../../platform/uuid.ts'
import type { QrsTransport } from './transport.ts'

export interface ServerLicense {
  readonly isExpired: boolean
  /** Free text with a line `Valid To: <date>`; '' for licences without one. */
  readonly keyDetails: string
}

/** The members that are there are numbers and switches, by the names of QRS. */
export type AccessTypeOverview = Readonly<Record<string, unknown>>

export const LICENSE_TYPES = ['professional', 'analyzer'] as const
export type LicenseType = (typeof LICENSE_TYPES)[number]

/** An access licence that a user holds. */
export interface AccessLicense {
  readonly id: string
  /** ISO; '' when QRS sends none. */
  readonly createdDate: string
  /** ISO; '' or a date in 1753 when it was never used. */
  readonly lastUsed: string
  readonly quarantined: boolean
  /** Null when the user was deleted. */
  readonly user: { readonly id: string; readonly userDirectory: string; readonly userId: string } | null
}

export interface LicenseUser {
  readonly userDirectory: string
  readonly userId: string
  /** Null when QRS does not send it, like the next two. */
  readonly inactive: boolean | null
  readonly blacklisted: boolean | null
  readonly removedExternally: boolean | null
  readonly tags: readonly string[]
  readonly customProperties: readonly { readonly name: string; readonly value: string }[]
}

/** Everything rejects with a `QrsError`. */
export interface LicenseClient {
  server(signal: AbortSignal): Promise<ServerLicense>
  overview(signal: AbortSignal): Promise<AccessTypeOverview>
  /** Those that were last used at this time or before, never used ones included. */
  unusedSince(type: LicenseType, at: number, signal: AbortSignal): Promise<readonly AccessLicense[]>
  /** Null when there is no such user. */
  user(id: string, signal: AbortSignal): Promise<LicenseUser | null>
  release(type: LicenseType, id: string, signal: AbortSignal): Promise<void>
  close(): void
}

export function createLicenseClient(transport: QrsTransport): LicenseClient {
  async function object(path: string, signal: AbortSignal): Promise<Json> {
    const { value } = await transport.json({ path, signal })
    if (!isObject(value)) throw transport.unusable({ path }, 'an object was expected')
    return value
  }

  return {
    async server(signal) {
      const { isExpired, keyDetails } = await object('license', signal)
      return { isExpired: isExpired === true, keyDetails: textOf(keyDetails) }
    },
    overview: (signal) => object('license/accesstypeoverview', signal),
    async unusedSince(type, at, signal) {
      const path = `license/${type}accesstype/full`
      const query = { filter: `lastUsed le '${new Date(at).toISOString()}'` }
      return (await transport.list({ path, query, signal })).filter(isObject).map(toLicense)
    },
    async user(id, signal) {
      if (!isGuid(id)) return null
      const path = `user/${id}`
      const { status, value } = await transport.json({ path, expected: [200], signal }).catch((error: unknown) => {
        if ((error as { status?: unknown }).status === 404) return { status: 404, value: null }
        throw error
      })
      if (status === 404) return null
      if (!isObject(value)) throw transport.unusable({ path }, 'a user was expected')
      return toUser(value)
    },
    async release(type, id, signal) {
      await transport.request({ method: 'DELETE', path: `license/${type}accesstype/${id}`, expected: [204], signal })
    },
    close: transport.close,
  }
}

type Json = Readonly<Record<string, unknown>>

function toLicense(raw: Json): AccessLicense {
  const user = isObject(raw.user) ? raw.user : null
  return {
    id: textOf(raw.id),
    createdDate: textOf(raw.createdDate),
    lastUsed: textOf(raw.lastUsed),
    quarantined: raw.quarantined === true,
    user: user && {
      id: textOf(user.id),
      userDirectory: textOf(user.userDirectory),
      userId: textOf(user.userId),
    },
  }
}

function toUser(raw: Json): LicenseUser {
  return {
    userDirectory: textOf(raw.userDirectory),
    userId: textOf(raw.userId),
    inactive: switchOf(raw.inactive),
    blacklisted: switchOf(raw.blacklisted),
    removedExternally: switchOf(raw.removedExternally),
    tags: objectsOf(raw.tags).map(({ name }) => textOf(name)),
    customProperties: objectsOf(raw.customProperties).map(({ definition, value }) => ({
      name: isObject(definition) ? textOf(definition.name) : '',
      value: textOf(value),
    })),
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const objectsOf = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : [])
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const switchOf = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null)
