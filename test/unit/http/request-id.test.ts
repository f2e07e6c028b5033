import { expect, test } from 'bun:test'
import { createRequestIds } from '../../../src/http/middleware/request-id.ts'

test('UUIDs of version 7, ascending and distinct', () => {
  let now = 0x019cad24bb20
  const next = createRequestIds({ now: () => now })
  const ids = Array.from({ length: 2000 }, (_, n) => {
    if (n % 500 === 0) now += 1
    return next()
  })
  expect(new Set(ids).size).toBe(2000)
  expect([...ids].sort()).toEqual(ids)
  for (const id of ids) expect(id).toMatch(/^019cad24-bb2[0-9]-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
