/** The first mass failure of tasks loses nothing and costs few requests; `npm run bench` measures that it takes as long as any later one. */
import { expect, test } from 'bun:test'
import { measureMassFailures } from '../support/mass-failure.ts'
import { tempDirectory } from '../support/temp.ts'

const COUNT = 1000

test('failures of tasks that Footman has never met all arrive, with few requests to Qlik Sense', async () => {
  const directory = tempDirectory()
  const { first, known, unknown } = await measureMassFailures(directory.path, COUNT)
  directory.remove()
  expect([first.alerts, known.alerts, unknown.alerts]).toEqual([COUNT, COUNT, COUNT])
  // One for 50 tasks, and some besides: the first questions, the pages of the list of tasks, users, apps. On a busy machine
  // some questions go out before there are 50 tasks to ask for.
  expect(Math.max(first.requests, unknown.requests)).toBeLessThanOrEqual(COUNT / 10)
}, 180_000)
