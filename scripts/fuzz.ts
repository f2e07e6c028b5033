/**
 * `npm run fuzz`: 50,000 random requests against the executable with a simulated site, sinks and a broker. Ends with 1
 * when a request is answered with a server error or not at all, when the process ends, or when its memory does not come
 * back. `-- --seed N --requests N` for other ones; `-- --seed N --only M` sends request M of a seed alone.
 */
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
const SETTLE_MS = 60_000

function report({ failures, statuses }: FuzzReport): boolean {
  console.log(`answers by status: ${JSON.stringify(statuses)}`)
  for (const { number, problem, request, answer } of failures) {
    console.log(`\nFAILED: ${problem}; npm run fuzz -- --seed ${seed} --only ${number}\n${request}\n${answer}`)
  }
  return failures.length === 0
}

/** Megabytes that no file backs, once the process has been idle; the least that was seen. */
async function settledMemory(pid: number, enough: number): Promise<number> {
  const until = performance.now() + SETTLE_MS
  let least = Number.POSITIVE_INFINITY
  while (performance.now() < until && least > enough) {
    await Bun.sleep(1000)
    least = Math.min(least, memoryOf(pid)?.anonymous ?? Number.NaN)
  }
  return least
}

async function main(): Promise<boolean> {
  await using all = await everything()
  await all.product.start()
  const { pid } = all.product.process
  const document = (await (await all.product.call('GET', '/documentation/json')).json()) as Described
  const settings = { port: all.product.restPort, endpoints: endpointsOf(document), seed }
  if (options.only) return report(await runFuzz({ ...settings, from: Number(options.only), count: 1, connections: 1 }))

  const started = performance.now()
  const warm = await runFuzz({ ...settings, count: WARM_UP })
  await Bun.sleep(5000)
  const before = memoryOf(pid)?.anonymous ?? Number.NaN
  const rest = await runFuzz({ ...settings, from: WARM_UP, count: count - WARM_UP })
  const seconds = (performance.now() - started) / 1000
  const after = await settledMemory(pid, before * MOST_GROWTH)
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
