const DAY_MS = 86_400_000

/** Professional allocations; days since the last use, null = never used. `user` is `DIR\id`, null = user deleted. */
export const PROFESSIONAL: readonly {
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

export const TOTALS = { professional: 25, analyzer: 100, capacityMinutes: 30_000, capacityUsedMinutes: 1260 } as const

/** Analyzer allocations: so many, each last used `ANALYZER_STEP_DAYS` days before the one above it. */
export const ANALYZER_COUNT = 30
export const ANALYZER_STEP_DAYS = 4
/** The analyzer allocation whose user can't be read any more (404). */
export const ANALYZER_OF_GONE_USER = 17

const day = (at: number) => new Date(at).toISOString().slice(0, 10)
const details = (...last: readonly string[]) =>
  `Allotment details:\nProduct Level: 50\nAllotment professional: 25\nAllotment analyzer: 100\nAllotment analyzer_time: 5\nValid From: 2025-02-01\n${last.join('\n')}\n`

export interface LicenceVariant {
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
