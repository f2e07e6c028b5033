/** Random requests against the executable: it answers all of them, and none with a fault of its own. */
import { expect, test } from 'bun:test'
import { endpointsOf } from '../fuzz/requests.ts'
import { runFuzz } from '../fuzz/run.ts'
import { everything } from '../support/everything.ts'
import type { Described } from '../support/openapi.ts'
import { needs } from '../support/servers.ts'

needs('mosquitto')

test('two thousand random requests end without a server error and without a crash', async () => {
  await using all = await everything()
  await all.product.start()
  const document = (await (await all.product.call('GET', '/documentation/json')).json()) as Described
  const settings = { port: all.product.restPort, endpoints: endpointsOf(document), seed: 1 }
  const { failures, statuses } = await runFuzz({ ...settings, count: 2000 })
  expect(failures).toEqual([])
  expect(statuses[200]).toBeGreaterThan(100)
  expect(statuses[400]).toBeGreaterThan(100)
  expect((await all.product.call('GET', '/v4/butlerping')).status).toBe(200)
  expect(await all.product.process.stop()).toBe(0)
}, 120_000)
