/**
 * `npm run fuzz`: changed inputs for everything that reads text from outside (`test/fuzz/targets.ts`), 500,000 generated paths
 * against the rules of the file operations and a disk, then 50,000 random requests against the executable with a simulated site,
 * sinks and a broker. Ends with 1 when an input ends in an error that is not declared, or takes more than its length explains;
 * when a path leads out, when a request is answered with a server error or not at all, when the process ends, or when its memory
 * does not come back. `-- --only NAME` runs one target; `-- --seed N --only M` sends request M of a seed alone.
 */
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { memoryOf } from '../test/bench/process.ts'
import { type Ends, fuzzTargets } from '../test/fuzz/inputs-run.ts'
import { fuzzPaths } from '../test/fuzz/paths.ts'
import { endpointsOf } from '../test/fuzz/requests.ts'
import { type FuzzReport, runFuzz } from '../test/fuzz/run.ts'
import type { Running } from '../test/support/binary.ts'
import { everything } from '../test/support/everything.ts'
import type { Described } from '../test/support/openapi.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm run fuzz [-- OPTIONS]

Gives changed inputs to all readers of text from outside (templates, patterns, MQTT, forms, ...),
then generated paths to the rules of the file operations, then random requests to the executable.
Ends with 1 after a failure.

  --seed N         another sequence (default: 1)
  --seconds N      time for the changed inputs (default: 120; 0 = none)
  --paths N        number of paths (default: 500000; 0 = none)
  --requests N     number of requests (default: 50000; 0 = none)
  --only M         request M of the seed alone
  --only NAME      only paths, requests, or inputs whose name holds NAME, like mqtt or forms
`)

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '120' },
    paths: { type: 'string', default: '500000' },
    requests: { type: 'string', default: '50000' },
    only: { type: 'string' },
  },
})

const seed = Number(options.seed)
const count = Number(options.requests)
const WARM_UP = Math.floor(count / 2)
/** Requests after which all code that loads on demand is loaded and caches have most of their size. */
const LEAST_WARM_UP = 10_000
/**
 * At the end, compared with the end of the warm-up, both after a collection. Objects in use must be back; compiled code and
 * memory of the collector and allocators grow on ever slower, and double between 10,000 and 30,000 requests, so their limit only
 * catches memory that is lost for good.
 */
const MOST_GROWTH = { objects: 1.1, code: 1.4, anonymous: 1.4 } as const
const QUIET_MS = 2000
const GIVE_BACK_MS = 15_000

function report({ failures }: FuzzReport): boolean {
  for (const { number, problem, request, answer } of failures) {
    console.log(`\nFAILED: ${problem}; npm run fuzz -- --seed ${seed} --only ${number}\n${request}\n${answer}`)
  }
  return failures.length === 0
}

/** Prints the answers by status; 505 answers of the runtime, to requests that are not HTTP/1.1, apart. */
function printStatuses(statuses: Readonly<Record<number, number>>): void {
  const of = (wanted: (status: number) => boolean): number =>
    Object.entries(statuses).reduce((sum, [status, times]) => sum + (wanted(Number(status)) ? times : 0), 0)
  console.log(`answers by status: ${JSON.stringify(statuses)}`)
  console.log(`server errors (5xx): ${of((status) => status >= 500 && status !== 505)}`)
  console.log(
    `besides: ${of((status) => status === 505)} times noise that names another HTTP version, which the server of the runtime answers with 505 before Footman sees it; ${of((status) => status === 0)} times noise that is no request at all, where the connection was closed`,
  )
}

interface Memory {
  /** In use, megabytes. */
  readonly objects: number
  /** Compiled for functions that run often, megabytes. */
  readonly code: number
  /** Anonymous memory of the process, megabytes; NaN where the system does not report it. */
  readonly anonymous: number
}

/** After a collection. */
async function keptMemory({ pid, stderr }: Running): Promise<Memory> {
  // The second collection frees objects that the first one has released; the allocators return pages a little later.
  for (let collection = 0; collection < 2; collection++) {
    await Bun.sleep(QUIET_MS)
    process.kill(pid, 'SIGUSR2')
  }
  await Bun.sleep(GIVE_BACK_MS)
  const line = stderr.findLast((text) => text.startsWith('heap '))
  const [, objects, code] = (line ?? '').split(' ').map((word) => Number(word) / 1e6)
  return { objects: objects ?? Number.NaN, code: code ?? Number.NaN, anonymous: memoryOf(pid)?.anonymous ?? Number.NaN }
}

/** Prints the growth; false when it is above the limit. */
function compare(start: Memory, warm: Memory, end: Memory): boolean {
  const rows = ['objects', 'code', 'anonymous'] as const
  // Some systems do not report anonymous memory; all other figures are required.
  const isUnknown = (name: keyof Memory) => name !== 'anonymous' && Number.isNaN(end[name])
  const grown = rows.filter((name) => isUnknown(name) || end[name] > warm[name] * MOST_GROWTH[name])
  for (const name of rows) {
    const [first, before, after] = [start, warm, end].map((memory) => memory[name].toFixed(1))
    const percent = ((end[name] / warm[name] - 1) * 100).toFixed(1)
    console.log(
      `memory after a collection, ${name}: ${first} MB before any request, ${before} MB after ${WARM_UP} of them, ${after} MB at the end (${percent} % more)`,
    )
  }
  if (WARM_UP < LEAST_WARM_UP) {
    console.log(`the growth is judged from ${2 * LEAST_WARM_UP} requests on`)
    return true
  }
  for (const name of grown) console.log(`FAILED: the memory (${name}) has grown by more than ${MOST_GROWTH[name]}`)
  return grown.length === 0
}

/** Children do not end by themselves when this process is ended. */
const ends: Ends = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    void Promise.allSettled([...ends].map(async (end) => end())).then(() => process.exit(1))
  })
}

/** Number of the only request; null = all of them. */
const onlyRequest = /^\d+$/.test(options.only ?? '') ? Number(options.only) : null

async function main(): Promise<boolean> {
  const { only } = options
  console.log(`seed ${seed}`)
  if (onlyRequest !== null) return fuzzRequests()
  // Not loaded for the help.
  const { TARGETS } = await import('../test/fuzz/targets.ts')
  const names = TARGETS.map(({ name }) => name).filter((name) => only === undefined || name.includes(only))
  const isWanted = (what: string) => only === undefined || only === what
  if (names.length === 0 && !isWanted('paths') && !isWanted('requests')) {
    console.error(
      `--only ${only}: expected paths, requests, a number, or a part of ${TARGETS.map(({ name }) => name).join(', ')}`,
    )
    return false
  }
  const seconds = Number(options.seconds)
  const inputsGood = seconds === 0 || (await fuzzTargets(names, seed, { seconds, ends }))
  const pathsGood = !isWanted('paths') || (await fuzzPaths(Number(options.paths), seed))
  const requestsGood = !isWanted('requests') || count === 0 || (await fuzzRequests())
  return inputsGood && pathsGood && requestsGood
}

async function fuzzRequests(): Promise<boolean> {
  process.env.BUN_OPTIONS = `--preload=${join(import.meta.dirname, '..', 'test', 'fuzz', 'collect.ts')}`
  const starting = everything()
  ends.add(async () => (await starting)[Symbol.asyncDispose]())
  await using all = await starting
  await all.product.start()
  const running = all.product.process
  const document = (await (await all.product.call('GET', '/documentation/json')).json()) as Described
  const settings = { port: all.product.restPort, endpoints: endpointsOf(document), seed }
  if (onlyRequest !== null) return report(await runFuzz({ ...settings, from: onlyRequest, count: 1, connections: 1 }))

  const start = await keptMemory(running)
  const started = performance.now()
  const first = await runFuzz({ ...settings, count: WARM_UP })
  const warm = await keptMemory(running)
  const rest = await runFuzz({ ...settings, from: WARM_UP, count: count - WARM_UP })
  const seconds = (performance.now() - started) / 1000
  const end = await keptMemory(running)
  const allGood = [report(first), report(rest)].every(Boolean)
  const answers = (await all.product.call('GET', '/v4/butlerping')).status === 200
  const code = await running.stop()
  console.log(`${count} requests in ${seconds.toFixed(0)} s, seed ${seed}`)
  printStatuses(added(first.statuses, rest.statuses))
  const gaveBack = compare(start, warm, end)
  console.log(answers && code === 0 ? 'it answers at the end, and ends with exit code 0' : `FAILED: exit code ${code}`)
  return allGood && answers && code === 0 && gaveBack
}

function added(...all: Readonly<Record<number, number>>[]): Record<number, number> {
  const sum: Record<number, number> = {}
  for (const statuses of all)
    for (const [status, times] of Object.entries(statuses)) sum[Number(status)] = (sum[Number(status)] ?? 0) + times
  return sum
}

process.exitCode = (await main()) ? 0 : 1
