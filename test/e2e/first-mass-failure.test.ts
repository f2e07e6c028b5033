/** The first mass failure of tasks loses nothing and costs few requests; `npm run bench` measures that it takes as long as any later one. */
import { expect, test } from 'bun:test'
import { measureMassFailures } from '../support/mass-failure.ts'
import { needs } from '../support/servers.ts'
import { tempDirectory } from '../support/temp.ts'

// The number of requests depends on how many failures have arrived when a question goes out.
needs('quiet')

const COUNT = 1000

test('failures of tasks that Footman has never met all arrive, with few requests to Qlik Sense', async () => {
  const directory = tempDirectory()
  const { first, known, unknown } = await measureMassFailures(directory.path, COUNT)
  directory.remove()
  expect([first.alerts, known.alerts, unknown.alerts]).toEqual([COUNT, COUNT, COUNT])
  // One for 50 tasks where so many wait, and some besides: the first questions, the pages of the list of tasks, users, apps.
  expect(Math.max(first.requests, unknown.requests)).toBeLessThanOrEqual(120)
}, 180_000)
