/** `GET /v4/monitors` says whether the server licence ends soon, by the days that alerts go by. */
import { expect, test } from 'bun:test'
import type { ApiRequest } from '../../../src/http/endpoint/route.ts'
import { monitorsRoute } from '../../../src/monitors/http.ts'

test.each([
  [61, false],
  [60, true],
  [45, true],
  [-1, true],
  [null, false],
])('with %p days left: %p', async (licenseDays, endsSoon) => {
  const states = { services: [], licenseDays, licenseExpiry: null, licenses: [], release: null }
  const route = monitorsRoute({
    db: {} as never,
    clock: { now: () => 0 } as never,
    states: () => states as never,
    licenseThreshold: 60,
    certificates: () => [],
    lookedAt: () => null,
  })
  const answer = await route.handle({ query: {}, params: {} } as unknown as ApiRequest)
  expect((await answer.json()).license).toMatchObject({ daysLeft: licenseDays, endsSoon })
})
