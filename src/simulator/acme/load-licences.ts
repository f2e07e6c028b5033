import { NEVER_MS } from '../entities.ts'
import { guid, type ResettableSite } from '../site.ts'
import type { SimEntity, SimLicenceAllocation, SimUser } from '../types.ts'
import {
  ANALYZER_COUNT,
  ANALYZER_OF_GONE_USER,
  ANALYZER_STEP_DAYS,
  PROFESSIONAL,
  SERVER_LICENCES,
  TOTALS,
} from './licences.ts'

const DAY_MS = 86_400_000

type Base = (id: string, by?: string) => SimEntity

/** The server licence and who holds which access. */
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
