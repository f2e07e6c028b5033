import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { runBinary } from '../support/binary.ts'
import { repositoryRoot } from '../support/source.ts'
import { requestsPerSecond } from './load.ts'
import { cpuSecondsOf } from './process.ts'
import { type Measurement, quantile } from './report.ts'
import { PING, startTarget, type TargetSettings } from './target.ts'

const ROUNDS = 3
const SECONDS = 1.5
/** Of what the bare server does; counting for `/metrics` is in it. */
const LEAST_PERCENT = 50
/** The same with a line in the log for every request. */
const LEAST_PERCENT_LOGGED = 45

interface Contender {
  readonly pid: number
  readonly port: number
  readonly rates: number[]
  readonly cpuMicroseconds: number[]
}

/** The product's ping beside a bare server with the same answer: in turns, under the same load, in the same run. */
export async function measurePing(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'ping')
  mkdirSync(directory, { recursive: true })
  const script = join(repositoryRoot, 'test', 'bench', 'bare-server.ts')
  await using bareProcess = runBinary([script], { command: process.execPath })
  const [, barePort] = await bareProcess.waitForLine(/listening on (\d+)/)
  const target = await startTarget({ ...settings, directory })
  await using product = target.running
  const loggingDirectory = join(settings.directory, 'ping-logged')
  mkdirSync(loggingDirectory, { recursive: true })
  const loggingTarget = await startTarget({ ...settings, directory: loggingDirectory, accessLog: true })
  await using loggingProduct = loggingTarget.running

  const bare = contender(bareProcess.pid, Number(barePort))
  const own = contender(product.pid, target.restPort)
  const logging = contender(loggingProduct.pid, loggingTarget.restPort)
  const all = [bare, own, logging]
  for (const one of all) await loadOnce(one, 1)
  for (const one of all) one.rates.length = one.cpuMicroseconds.length = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of all) await loadOnce(one, SECONDS)
  }
  // The best round of each: whatever else the machine does only ever takes away.
  const [bareRate, ownRate, loggingRate] = [bare, own, logging].map(({ rates }) => Math.max(...rates)) as Rates
  return [
    { name: 'ping: bare Bun.serve', value: bareRate, unit: '/s', note: cpuNote(bare) },
    { name: 'ping: footman, counting for /metrics', value: ownRate, unit: '/s', note: cpuNote(own) },
    { name: 'ping: footman / bare', value: (100 * ownRate) / bareRate, unit: '%', atLeast: LEAST_PERCENT },
    { name: 'ping: footman with the access log', value: loggingRate, unit: '/s', note: cpuNote(logging) },
    {
      name: 'ping: footman with the access log / bare',
      value: (100 * loggingRate) / bareRate,
      unit: '%',
      atLeast: LEAST_PERCENT_LOGGED,
    },
  ]
}

type Rates = [bare: number, own: number, logging: number]

const contender = (pid: number, port: number): Contender => ({ pid, port, rates: [], cpuMicroseconds: [] })

async function loadOnce({ pid, port, rates, cpuMicroseconds }: Contender, seconds: number): Promise<void> {
  const before = cpuSecondsOf(pid)
  const rate = await requestsPerSecond({ port, path: PING, seconds })
  const after = cpuSecondsOf(pid)
  rates.push(rate)
  if (before !== null && after !== null) cpuMicroseconds.push(((after - before) * 1e6) / (rate * seconds))
}

function cpuNote({ cpuMicroseconds }: Contender): string {
  return cpuMicroseconds.length === 0 ? '' : `${quantile(cpuMicroseconds, 0.5).toFixed(1)} µs of CPU a request`
}
