/** When the server licence ends. */
import { describe, expect, test } from 'bun:test'
import { licenseDetails } from '../../../src/monitors/license/server.ts'
import { licenseUsage } from '../../../src/monitors/license/usage.ts'

const NOON = Date.parse('2026-11-20T12:00:00.000Z')
const details = (keyDetails: string, now = NOON, isExpired = false) => {
  const { expired, expiryDate, daysRemaining } = licenseDetails({ isExpired, keyDetails }, now)
  return [expired, expiryDate, daysRemaining]
}

describe('Valid To', () => {
  test('a date among other lines', () => {
    const text = 'Allotments:\n professional: 10\nValid From: 2025-01-01\nValid To: 2026-12-31\n'
    expect(details(text)).toEqual([false, '2026-12-31T00:00:00.000Z', 41])
  })

  test.each([
    ['Valid To: 2026-12-31 23:59:59', '2026-12-31T23:59:59.000Z', 42],
    ['Valid To: 2026-12-31T10:00:00Z', '2026-12-31T10:00:00.000Z', 41],
    ['Valid To: 2026-12-31T10:00:00+01:00', '2026-12-31T09:00:00.000Z', 41],
    ['Valid To: 12/31/2026', '2026-12-31T00:00:00.000Z', 41],
    ['Valid To: December 31, 2026 10:00', '2026-12-31T10:00:00.000Z', 41],
    ['  valid to:2026-12-31\r', '2026-12-31T00:00:00.000Z', 41],
  ])('%j is read whole', (line, date, days) => {
    expect(details(line)).toEqual([false, date, days])
  })

  test('the earliest of several counts, in whatever order', () => {
    const lines = ['Valid To: 2027-06-30', 'Add-on Valid To: 2026-12-31']
    for (const order of [lines, lines.toReversed()]) expect(details(order.join('\n'))[2]).toBe(41)
  })

  test.each(['', 'Allotments: 10', 'Valid To:', 'Valid To: never', 'Valid To: 2026-13-45'])('%j has no end', (text) => {
    expect(details(text)).toEqual([false, null, null])
  })

  test.each([
    ['2026-11-20T12:00:01.000Z', '2026-11-20', [true, 0]],
    ['2026-11-20T23:59:59.000Z', '2026-11-20', [true, 0]],
    ['2026-11-21T00:00:00.000Z', '2026-11-20', [true, -1]],
    ['2026-11-25T12:00:00.000Z', '2026-11-20', [true, -5]],
    ['2026-11-19T23:59:59.000Z', '2026-11-20', [false, 1]],
    ['2026-11-20T00:00:00.000Z', '2026-11-20', [false, 0]],
  ])('at %s, valid to %s: %j', (now, date, expected) => {
    const [expired, , days] = details(`Valid To: ${date}`, Date.parse(now))
    expect([expired, days] as unknown[]).toEqual(expected)
    expect(Object.is(days, -0)).toBe(false)
  })

  test('expired as QRS says, also without a date', () => {
    expect(details('', NOON, true)).toEqual([true, null, null])
  })
})

describe('access licences', () => {
  const professional = { enabled: true, total: 25, allocated: 5, used: 3, quarantined: 1, excess: 0, available: 19 }

  test('all types, in order, with the figures of tokens', () => {
    const usage = licenseUsage({
      totalTokens: 20,
      availableTokens: 8,
      tokensEnabled: true,
      userAccess: { enabled: true, tokenCost: 1, allocatedTokens: 10, usedTokens: 7, quarantinedTokens: 0 },
      loginAccess: { enabled: true, tokenCost: 0.1, allocatedTokens: 2, usedTokens: 1, unavailableTokens: 0 },
      professionalAccess: professional,
      analyzerAccess: { ...professional, total: 100 },
      analyzerTimeAccess: { enabled: true, allocatedMinutes: 15000, usedMinutes: 4210, unavailableMinutes: 0 },
    })
    const counts = { allocated: 5, available: 19, excess: 0, quarantined: 1, used: 3 }
    expect(usage).toEqual([
      { type: 'analyzer', fields: { ...counts, total: 100 } },
      {
        type: 'analyzer_capacity',
        fields: { allocated_minutes: 15000, unavailable_minutes: 0, used_minutes: 4210 },
      },
      { type: 'professional', fields: { ...counts, total: 25 } },
      {
        type: 'token_login',
        fields: { allocated_tokens: 2, token_cost: 0.1, unavailable_tokens: 0, used_tokens: 1 },
      },
      {
        type: 'token_user',
        fields: { allocated_tokens: 10, quarantined_tokens: 0, token_cost: 1, used_tokens: 7 },
      },
      { type: 'tokens_available', fields: { available_tokens: 8, total_tokens: 20 } },
    ])
  })

  test('types that are off, missing or null are left out', () => {
    const usage = licenseUsage({
      professionalAccess: professional,
      analyzerAccess: null,
      loginAccess: { enabled: false },
    })
    expect(usage.map(({ type }) => type)).toEqual(['professional'])
    expect(licenseUsage({})).toEqual([])
  })
})
