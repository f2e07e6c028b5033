/** Acme's licences: the server licence and its variants, and the access licences of users. */
import { NEVER_MS } from '../entities.ts'
import { guid, type ResettableSite } from '../site.ts'
import type { SimEntity, SimLicenceAllocation, SimUser } from '../types.ts'

const DAY_MS = 86_400_000

/** Professional allocations; days since the last use, null = never used. `user` is `DIR\id`, null = user deleted. */
const PROFESSIONAL: readonly {
  readonly user: string | null
  readonly daysAgo: number | null
  readonly quarantined?: true
  readonly excess?: true
}[] = [
  { user: 'LAB\\anna', daysAgo: 0 },
  { user: 'LAB\\bertil', daysAgo: null },
  { user: 'LAB\\carla', daysAgo: 20 },
  { user: 'LAB\\dora', daysAgo: 45 },
  { user: 'LAB\\hanna', daysAgo: 100 },
  { user: 'ERP\\ivan', daysAgo: 400 },
  { user: 'LAB\\erik', daysAgo: 60, quarantined: true },
  { user: 'ERP\\jonna', daysAgo: 70, excess: true },
  { user: null, daysAgo: 200 },
]

const TOTALS = { professional: 25, analyzer: 100, capacityMinutes: 30_000, capacityUsedMinutes: 1260 } as const

/** Analyzer allocations: so many, each last used `ANALYZER_STEP_DAYS` days before the one above it. */
const ANALYZER_COUNT = 30
const ANALYZER_STEP_DAYS = 4
/** The analyzer allocation whose user can't be read any more (404). */
const ANALYZER_OF_GONE_USER = 17

const day = (at: number) => new Date(at).toISOString().slice(0, 10)
const details = (...last: readonly string[]) =>
  `Allotment details:\nProduct Level: 50\nAllotment professional: 25\nAllotment analyzer: 100\nAllotment analyzer_time: 5\nValid From: 2025-02-01\n${last.join('\n')}\n`

interface LicenceVariant {
  readonly keyDetails: string | null
  readonly isExpired: boolean
}

/** Variants of the server licence by name; `now` in ms. */
export const SERVER_LICENCES: Readonly<Record<string, (now: number) => LicenceVariant>> = {
  valid: (now) => ({ keyDetails: details(`Valid To: ${day(now + 335 * DAY_MS)}`), isExpired: false }),
  'expires-in-10-days': (now) => ({ keyDetails: details(`Valid To: ${day(now + 10 * DAY_MS)}`), isExpired: false }),
  'expired-yesterday': (now) => ({ keyDetails: details(`Valid To: ${day(now - DAY_MS)}`), isExpired: true }),
  'time-part': (now) => ({ keyDetails: details(`Valid To: ${day(now + 335 * DAY_MS)} 23:59:59`), isExpired: false }),
  'two-lines': (now) => ({
    keyDetails: details(`Valid To: ${day(now + 20 * DAY_MS)}`, `Add-on Valid To: ${day(now + 335 * DAY_MS)}`),
    isExpired: false,
  }),
  'no-details': () => ({ keyDetails: null, isExpired: false }),
}

type Base = (id: string, by?: string) => SimEntity

/** Stores the server licence and the access licences in the site. */
export function loadLicences(site: ResettableSite, base: Base) {
  const now = site.clock.now()
  Object.assign(site.licences.totals, TOTALS)
  site.licences.server = {
    ...base(guid('11', 1), 'INTERNAL\\sa_repository'),
    serial: '9999 1000 2000 3000',
    key: 'eyJhbGciOiJSUzUxMiJ9.e30.c2ln',
    name: 'Acme',
    organization: 'Acme Ltd',
    ...SERVER_LICENCES.valid!(now),
  }
  for (const [index, row] of PROFESSIONAL.entries()) {
    const user = row.user ? site.userByName(...(row.user.split('\\') as [string, string])) : null
    const allocation = allocate(
      base(guid('21', index + 1)),
      user,
      row.daysAgo === null ? null : now - row.daysAgo * DAY_MS,
    )
    if (row.quarantined) Object.assign(allocation, { quarantined: true, quarantineEnd: now + 3 * DAY_MS })
    allocation.excess = row.excess ?? false
    site.licences.professional.set(allocation.id, allocation)
  }
  const people = [...site.users.values()].filter((user) => user.userDirectory !== 'INTERNAL')
  for (let index = 0; index < ANALYZER_COUNT; index++) {
    const gone = index === ANALYZER_OF_GONE_USER
    const user = gone ? goneUser(people[0]!) : (people[index % people.length] ?? null)
    const lastUsed = now - index * ANALYZER_STEP_DAYS * DAY_MS
    const allocation = allocate(base(guid('22', index + 1)), user, lastUsed)
    site.licences.analyzer.set(allocation.id, allocation)
  }
}

function allocate(entity: SimEntity, user: SimUser | null, lastUsed: number | null): SimLicenceAllocation {
  return {
    ...entity,
    user,
    lastUsed: lastUsed ?? NEVER_MS,
    quarantined: false,
    quarantineEnd: NEVER_MS,
    excess: false,
    deletedUserId: user ? '' : 'former',
    deletedUserDirectory: user ? '' : 'LAB',
  }
}

/** Still named by an allocation, but not among the users any more. */
const goneUser = (like: SimUser): SimUser => ({ ...like, id: guid('80', 99), userId: 'gone', name: 'Gone Gunnar' })
