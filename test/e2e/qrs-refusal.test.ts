/** A repository that answers 403 is not away: health, log and self-check name the right that is missing. */
import { afterEach, expect, test } from 'bun:test'
import { footman } from '../support/footman.ts'
import { startSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const WAIT = { timeout: 20_000 }
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

interface Health {
  readonly checks: Readonly<Record<string, string>>
  readonly reasons?: Readonly<Record<string, string>>
}

async function scene(match: string) {
  const site = await startSite()
  cleanups.push(async () => site[Symbol.asyncDispose]())
  const product = await footman({
    simulator: site.simulator,
    config: {
      footman: {
        dataDirectory: 'data',
        reconciler: { enable: false },
        destinations: { phone: { type: 'ntfy', server: 'http://127.0.0.1:9', topic: 'qlik' } },
        alertRoutes: [{ name: 'all', to: ['phone'] }],
      },
    },
  })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 50 })
  site.simulator.fault({ listener: 'qrs', match, mode: 'status', args: [403] })
  await product.start()
  const health = async () => (await (await product.call('GET', '/health')).json()) as Health
  return { site, product, health }
}

test('a right that the user lacks is named until it is there', async () => {
  const { site, health } = await scene('/executionresult')
  await until(async () => (await health()).checks.qrs === 'up', WAIT)
  site.simulator.runTask(TASK)
  const refused = await until(async () => {
    const found = await health()
    return found.checks.qrs === 'degraded' && found
  }, WAIT)
  expect(refused.reasons!.qrs).toStartWith('QRS answered 403: ')
  expect(refused.reasons!.qrs).toContain('to read ExecutionResult_*')
  site.simulator.clearFaults()
  site.simulator.runTask(TASK)
  await until(async () => (await health()).checks.qrs === 'up', WAIT)
  expect((await health()).reasons).toBeUndefined()
}, 60_000)

test('a user that Qlik Sense does not know is refused, and the log does not call it unreachable', async () => {
  const { product, health } = await scene('/about')
  const [line] = await product.process.waitForLine(/.*QRS: refuses Footman: QRS answered 403.*/, 10_000)
  expect(line).not.toContain('not reachable')
  const { checks, reasons } = await health()
  expect([checks.qrs, reasons!.qrs]).toEqual(['degraded', expect.stringContaining('QRS answered 403')])
}, 60_000)
