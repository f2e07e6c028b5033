/**
 * `npm run fuzz`: 50,000 random requests against the executable with a simulated site, sinks and a broker. Ends with 1
 * when a request is answered with a server error or not at all, when the process ends, or when its memory does not come
 * back. `-- --seed N --requests N` for other ones; `-- --seed N --only M` sends request M of a seed alone.
 */
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { memoryOf } from '../test/bench/process.ts'
import { endpointsOf } from '../test/fuzz/requests.ts'
import { type FuzzReport, runFuzz } from '../test/fuzz/run.ts'
import { everything } from '../test/support/everything.ts'
import type { Described } from '../test/support/openapi.ts'

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    requests: { type: 'string', default: '50000' },
    only: { type: 'string' },
  },
})

const seed = Number(options.seed)
const count = Number(options.requests)
/** By then caches and the records of the last 1,000 reloads have most of their size. */
const WARM_UP = Math.floor(count / 2)
/** Memory after the run and a collection, compared with that after the warm-up. */
const MOST_GROWTH = 1.1
const QUIET_MS = 2000
const GIVE_BACK_MS = 15_000

function report({ failures, statuses }: FuzzReport): boolean {
  console.log(`answers by status: ${JSON.stringify(statuses)}`)
  for (const { number, problem, request, answer } of failures) {
    console.log(`\nFAILED: ${problem}; npm run fuzz -- --seed ${seed} --only ${number}\n${request}\n${answer}`)
  }
  return failures.length === 0
}

/** Megabytes that no file backs and that are left after a collection. */
async function keptMemory(pid: number): Promise<number> {
  // The second one takes what the first one has made free, and the allocators give pages back a little later.
  for (let collection = 0; collection < 2; collection++) {
    await Bun.sleep(QUIET_MS)
    process.kill(pid, 'SIGUSR2')
  }
  await Bun.sleep(GIVE_BACK_MS)
  return memoryOf(pid)?.anonymous ?? Number.NaN
}

async function main(): Promise<boolean> {
  process.env.BUN_OPTIONS = `--preload=${join(import.meta.dirname, '..', 'test', 'fuzz', 'collect.ts')}`
  await using all = await everything()
  await all.product.start()
  const { pid } = all.product.process
  const document = (await (await all.product.call('GET', '/documentation/json')).json()) as Described
  const settings = { port: all.product.restPort, endpoints: endpointsOf(document), seed }
  if (options.only) return report(await runFuzz({ ...settings, from: Number(options.only), count: 1, connections: 1 }))

  const started = performance.now()
  const warm = await runFuzz({ ...settings, count: WARM_UP })
  const before = await keptMemory(pid)
  const rest = await runFuzz({ ...settings, from: WARM_UP, count: count - WARM_UP })
  const seconds = (performance.now() - started) / 1000
  const after = await keptMemory(pid)
  const allGood = [report(warm), report(rest)].every(Boolean)
  const answers = (await all.product.call('GET', '/v4/butlerping')).status === 200
  const code = await all.product.process.stop()
  console.log(
    `${count} requests in ${seconds.toFixed(0)} s, seed ${seed}; memory ${before.toFixed(1)} MB before, ${after.toFixed(1)} MB after; exit code ${code}`,
  )
  if (after > before * MOST_GROWTH) console.log(`FAILED: the memory has grown by more than ${MOST_GROWTH}`)
  return allGood && answers && code === 0 && !(after > before * MOST_GROWTH)
}

process.exitCode = (await main()) ? 0 : 1
