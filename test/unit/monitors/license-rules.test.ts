/** Which access licences are given back. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { DAY_MS, idleOf, isCandidate, type NeverRelease, reasonToKeep } from '../../../src/monitors/license/release.ts'
import type { AccessLicense, LicenseUser } from '../../../src/qlik/qrs/licenses.ts'

const NOW = Date.parse('2026-11-30T08:00:00.000Z')
const NEVER = '1753-01-01T00:00:00.000Z'
const daysAgo = (days: number) => new Date(NOW - days * DAY_MS).toISOString()

const license = (own: Partial<AccessLicense> = {}): AccessLicense => ({
  id: '21000000-0000-4000-8000-000000000001',
  createdDate: daysAgo(500),
  lastUsed: daysAgo(90),
  quarantined: false,
  user: { id: '80000000-0000-4000-8000-000000000004', userDirectory: 'LAB', userId: 'joe' },
  ...own,
})
const user = (own: Partial<LicenseUser> = {}): LicenseUser => ({
  userDirectory: 'LAB',
  userId: 'joe',
  inactive: false,
  blacklisted: false,
  removedExternally: false,
  tags: [],
  customProperties: [],
  ...own,
})
const rules = (own: Partial<NeverRelease> = {}): NeverRelease => ({
  user: [],
  tag: [],
  customProperty: [],
  userDirectory: [],
  inactive: 'ignore',
  blocked: 'ignore',
  removedExternally: 'ignore',
  ...own,
})

describe('idle time', () => {
  test.each([
    ['used 30 days ago', { lastUsed: daysAgo(30) }, true],
    ['used a second less than 30 days ago', { lastUsed: daysAgo(30 - 1 / 86_400) }, false],
    ['used 29.5 days ago', { lastUsed: daysAgo(29.5) }, false],
    ['never used, given out yesterday', { lastUsed: NEVER, createdDate: daysAgo(1) }, false],
    ['never used, given out 31 days ago', { lastUsed: NEVER, createdDate: daysAgo(31) }, true],
    ['never used, told as nothing', { lastUsed: '', createdDate: daysAgo(31) }, true],
    ['used long ago by somebody else, given out anew', { lastUsed: daysAgo(90), createdDate: daysAgo(2) }, false],
    ['in quarantine', { quarantined: true }, false],
    ['without any date', { lastUsed: '', createdDate: '' }, false],
    ['with a date that cannot be read', { lastUsed: 'yesterday' }, false],
    ['used in the future', { lastUsed: daysAgo(-1) }, false],
  ] as [string, Partial<AccessLicense>, boolean][])('%s', (_, own, expected) => {
    expect(isCandidate(license(own), 30, NOW)).toBe(expected)
  })

  test('a limit below one day takes nothing', () => {
    for (const days of [0, -1, 0.5, Number.NaN]) expect(isCandidate(license(), days, NOW)).toBe(false)
  })

  test('days are whole', () => {
    expect(idleOf(license({ lastUsed: daysAgo(47.9) }), NOW)).toMatchObject({ days: 47, neverUsed: false })
    expect(idleOf(license({ lastUsed: NEVER, createdDate: daysAgo(40) }), NOW)).toMatchObject({
      days: 40,
      neverUsed: true,
    })
  })
})

describe('reasons to keep', () => {
  const property = { name: 'LicenseManage', value: 'do-not-release' }
  test.each([
    ['nobody', {}, {}, null],
    [
      'an account of Qlik Sense',
      { userDirectory: 'internal', userId: 'SA_api' },
      {},
      'User is an internal account of Qlik Sense',
    ],
    ['a listed user', {}, { user: [{ userDir: 'lab', userId: 'JOE' }] }, 'User is in the neverRelease.user list'],
    ['a user of another directory', {}, { user: [{ userDir: 'ERP', userId: 'joe' }] }, null],
    [
      'a tag',
      { tags: ['x', 'Keep'] },
      { tag: ['keep'] },
      `User tagged with 'Keep', which is in the neverRelease.tag list`,
    ],
    [
      'a custom property',
      { customProperties: [{ name: 'licensemanage', value: 'DO-NOT-RELEASE' }] },
      { customProperty: [property] },
      `User has custom property 'licensemanage' set to 'DO-NOT-RELEASE', which is in the neverRelease.customProperty list`,
    ],
    [
      'name and value of different properties',
      {
        customProperties: [
          { name: 'LicenseManage', value: 'other' },
          { name: 'Other', value: 'do-not-release' },
        ],
      },
      { customProperty: [property] },
      null,
    ],
    [
      'a user directory',
      {},
      { userDirectory: ['lab'] },
      `User's user directory is 'LAB', which is in the neverRelease.userDirectory list`,
    ],
    ['inactive yes', { inactive: true }, { inactive: 'yes' }, `User has inactive status 'true'`],
    ['inactive yes, active', { inactive: false }, { inactive: 'yes' }, null],
    ['inactive no', { inactive: false }, { inactive: 'no' }, `User has inactive status 'false'`],
    ['inactive no, inactive', { inactive: true }, { inactive: 'no' }, null],
    ['inactive ignored', { inactive: true }, { inactive: 'ignore' }, null],
    ['blocked yes', { blacklisted: true }, { blocked: 'yes' }, `User has blocked status 'true'`],
    [
      'removed externally no',
      { removedExternally: false },
      { removedExternally: 'no' },
      `User has removedExternally status 'false'`,
    ],
    ['not told', { inactive: null }, { inactive: 'yes' }, 'User has inactive status unknown'],
    [
      'the first rule gives the reason',
      { tags: ['keep'], inactive: true },
      { user: [{ userDir: 'LAB', userId: 'joe' }], tag: ['keep'], inactive: 'yes' },
      'User is in the neverRelease.user list',
    ],
  ] as [string, Partial<LicenseUser>, Partial<NeverRelease>, string | null][])('%s', (_, own, ruled, reason) => {
    expect(reasonToKeep(license(), user(own), rules(ruled))).toBe(reason)
  })

  test('either name protects when licence and user do not agree', () => {
    const listed = rules({ user: [{ userDir: 'LAB', userId: 'joe' }] })
    expect(reasonToKeep(license(), user({ userId: 'renamed' }), listed)).not.toBeNull()
  })
})

/** The rules once more, as simple as they can be said. */
function mayGo(licensed: AccessLicense, holder: LicenseUser, ruled: NeverRelease): boolean {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  const flags = [
    [ruled.inactive, holder.inactive],
    [ruled.blocked, holder.blacklisted],
    [ruled.removedExternally, holder.removedExternally],
  ] as const
  return !(
    (same(holder.userDirectory, 'internal') && holder.userId.toLowerCase().startsWith('sa_')) ||
    ruled.user.some((one) => same(one.userDir, holder.userDirectory) && same(one.userId, holder.userId)) ||
    holder.tags.some((tag) => ruled.tag.some((listed) => same(tag, listed))) ||
    holder.customProperties.some((p) =>
      ruled.customProperty.some((listed) => same(p.name, listed.name) && same(p.value, listed.value)),
    ) ||
    ruled.userDirectory.some((directory) => same(directory, holder.userDirectory)) ||
    flags.some(([setting, flag]) => (setting === 'yes' && flag === true) || (setting === 'no' && flag === false)) ||
    licensed.user === null
  )
}

test('any rules and any user: released exactly when no rule protects; more rules never release more', () => {
  const directory = fc.constantFrom('LAB', 'lab', 'ERP', 'INTERNAL')
  const id = fc.constantFrom('joe', 'JOE', 'anna', 'sa_api', 'SA_x')
  const word = fc.constantFrom('keep', 'KEEP', 'x', 'y')
  const property = fc.record({ name: word, value: word })
  const setting = fc.constantFrom('yes', 'no', 'ignore')
  const some = { maxLength: 2 }
  const anyRules = fc.record({
    user: fc.array(fc.record({ userDir: directory, userId: id }), some),
    tag: fc.array(word, some),
    customProperty: fc.array(property, some),
    userDirectory: fc.array(directory, some),
    inactive: setting,
    blocked: setting,
    removedExternally: setting,
  }) as fc.Arbitrary<NeverRelease>
  const anyUser = fc.record({
    userDirectory: directory,
    userId: id,
    inactive: fc.boolean(),
    blacklisted: fc.boolean(),
    removedExternally: fc.boolean(),
    tags: fc.array(word, some),
    customProperties: fc.array(property, some),
  })
  fc.assert(
    fc.property(anyRules, anyRules, anyUser, (ruled, further, holder) => {
      const held = license({ user: { id: 'x', userDirectory: holder.userDirectory, userId: holder.userId } })
      const reason = reasonToKeep(held, holder, ruled)
      expect(reason === null).toBe(mayGo(held, holder, ruled))
      const both: NeverRelease = {
        ...ruled,
        user: [...ruled.user, ...further.user],
        tag: [...ruled.tag, ...further.tag],
        customProperty: [...ruled.customProperty, ...further.customProperty],
        userDirectory: [...ruled.userDirectory, ...further.userDirectory],
      }
      if (reason !== null) expect(reasonToKeep(held, holder, both)).not.toBeNull()
    }),
    { numRuns: 1000 },
  )
})

test('no licence goes that was used, or given out, within the time, whatever the dates', () => {
  const age = fc.double({ min: -10, max: 400, noNaN: true })
  fc.assert(
    fc.property(age, age, fc.integer({ min: 1, max: 120 }), fc.boolean(), (used, created, days, never) => {
      const held = license({ lastUsed: never ? NEVER : daysAgo(used), createdDate: daysAgo(created) })
      if (!isCandidate(held, days, NOW)) return
      // ISO dates hold whole milliseconds.
      const slack = 1 / DAY_MS
      if (!never) expect(used).toBeGreaterThanOrEqual(days - slack)
      expect(created).toBeGreaterThanOrEqual(days - slack)
    }),
  )
})
