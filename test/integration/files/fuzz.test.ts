/** More than 100,000 generated paths; `npm run fuzz` tries more of them. */
import { expect, test } from 'bun:test'
import { fuzzDisk, fuzzRules } from '../../fuzz/paths.ts'

test('no path that the rules of Windows take leads out of an approved directory', () => {
  expect(fuzzRules('win32', 60_000, 1)).toEqual([])
}, 60_000)

test('no path that the rules elsewhere take leads out of an approved directory', () => {
  expect(fuzzRules('posix', 20_000, 2)).toEqual([])
}, 60_000)

test('no operation changes or reads anything outside, by what is on the disk afterwards', async () => {
  const { paths, done, escapes } = await fuzzDisk(25_000, 3)
  expect(escapes).toEqual([])
  expect(paths).toBeGreaterThanOrEqual(25_000)
  // Refusing everything would be no proof.
  expect(done).toBeGreaterThan(500)
}, 120_000)
