/** Many failures at once cost the repository few requests. */
import { afterEach, expect, test } from 'bun:test'
import type { Need } from '../../../src/events/types.ts'
import { createBatchedQrs } from '../../../src/qlik/qrs/batched.ts'
import { createCachedQrs } from '../../../src/qlik/qrs/cached.ts'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { closePipelines, startPipeline } from '../../support/pipeline.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

let site: TestSite | null = null
afterEach(async () => {
  await closePipelines()
  await site?.[Symbol.asyncDispose]()
  site = null
})

async function scene(needs: readonly Need[]) {
  site = await startSite()
  const { simulator, log } = site
  const { ca, client } = simulator.certificates.pem
  const qrs = createQrsClient(
    { log },
    {
      host: '127.0.0.1',
      port: simulator.ports.qrs,
      useSSL: true,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }],
      rejectUnauthorized: true,
      certificates: { ca: ca.pem, cert: client.cert.pem, key: client.key.pem },
    },
  )
  const batched = createBatchedQrs(qrs, { log })
  const pipeline = await startPipeline({ client: batched, cachedClient: createCachedQrs(batched), needs })
  simulator.setUdpTarget({ host: '127.0.0.1', port: pipeline.port })
  const paths = () => simulator.requests({ listener: 'qrs' }).map(({ path }) => path.replace(/^\/qrs\/|\?.*$/g, ''))
  const asked = (path: string) => paths().filter((one) => one === path).length
  return { ...pipeline, simulator, qrs, asked }
}

const COUNT = 400
/** While four requests are under way others gather, however slowly the failures come on a busy machine. */
const slowly = (simulator: TestSite['simulator']) =>
  simulator.fault({ listener: 'qrs', match: '/full', mode: 'latency', args: [300, 300] })

test('executions that fail within a second are asked about together, and each event has its own result', async () => {
  const { simulator, routed, asked, qrs } = await scene(['app', 'execution'])
  slowly(simulator)
  const { executionIds } = await simulator.burst({ count: COUNT, withinMs: 500 })
  await until(() => routed.length === COUNT, { timeout: 30_000 })
  expect(new Set(routed.map(({ execution }) => execution?.executionID))).toEqual(new Set(executionIds))
  for (const { executionId, execution } of routed) expect(execution?.executionID).toBe(executionId)
  expect(asked('executionresult/full')).toBeLessThanOrEqual(COUNT / 5)
  expect(asked('task/full') + asked('app/full')).toBeLessThanOrEqual(20)
  qrs.close()
}, 60_000)

test('the failures of one task are asked about together, and go on in their order', async () => {
  const { simulator, routed, asked, qrs } = await scene(['execution'])
  slowly(simulator)
  const task = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
  const { executionIds } = await simulator.burst({ count: 100, withinMs: 100, taskIds: [task] })
  await until(() => routed.length === 100, { timeout: 30_000 })
  expect(routed.map(({ executionId }) => executionId)).toEqual([...executionIds])
  expect(asked('executionresult/full')).toBeLessThanOrEqual(20)
  qrs.close()
}, 60_000)

test('one failure alone is asked about by its own request', async () => {
  const { simulator, routed, qrs } = await scene(['execution'])
  const { executionIds } = await simulator.burst({ count: 1, withinMs: 1 })
  await until(() => routed.length === 1)
  const filters = simulator.requests({ listener: 'qrs' }).map(({ decodedFilter }) => decodedFilter)
  expect(filters.filter((filter) => filter?.includes('executionID'))).toEqual([`executionID eq ${executionIds[0]}`])
  qrs.close()
})

test('a repository that refuses to be asked about many answers about each', async () => {
  const { simulator, routed, asked, qrs } = await scene(['execution'])
  simulator.fault({ listener: 'qrs', match: '%20or%20', mode: 'status', args: [400] })
  await simulator.burst({ count: 60, withinMs: 50 })
  await until(() => routed.length === 60, { timeout: 30_000 })
  for (const { executionId, execution } of routed) expect(execution?.executionID).toBe(executionId)
  // 60 single requests, and the refused ones.
  expect(asked('executionresult/full')).toBeGreaterThanOrEqual(60)
  expect(asked('executionresult/full')).toBeLessThanOrEqual(66)
  qrs.close()
}, 60_000)
