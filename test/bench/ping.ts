import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { runBinary } from '../support/binary.ts'
import { repositoryRoot } from '../support/source.ts'
import { requestsPerSecond } from './load.ts'
import { cpuSecondsOf } from './process.ts'
import { type Measurement, quantile } from './report.ts'
import { PING, startTarget, type TargetSettings } from './target.ts'

const ROUNDS = 5
const SECONDS = 1.5

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

  const bare: Contender = { pid: bareProcess.pid, port: Number(barePort), rates: [], cpuMicroseconds: [] }
  const own: Contender = { pid: product.pid, port: target.restPort, rates: [], cpuMicroseconds: [] }
  for (const contender of [bare, own]) await loadOnce(contender, 1)
  for (const contender of [bare, own]) contender.rates.length = contender.cpuMicroseconds.length = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of [bare, own]) await loadOnce(contender, SECONDS)
  }
  // The best round of each: whatever else the machine does only ever takes away.
  const [bareRate, ownRate] = [Math.max(...bare.rates), Math.max(...own.rates)]
  return [
    { name: 'ping: bare Bun.serve', value: bareRate, unit: '/s', note: cpuNote(bare) },
    { name: 'ping: footman', value: ownRate, unit: '/s', note: cpuNote(own) },
    { name: 'ping: footman / bare', value: (100 * ownRate) / bareRate, unit: '%', atLeast: 50 },
  ]
}

async function loadOnce(contender: Contender, seconds: number): Promise<void> {
  const before = cpuSecondsOf(contender.pid)
  const rate = await requestsPerSecond({ port: contender.port, path: PING, seconds })
  const after = cpuSecondsOf(contender.pid)
  contender.rates.push(rate)
  if (before !== null && after !== null) contender.cpuMicroseconds.push(((after - before) * 1e6) / (rate * seconds))
}

function cpuNote({ cpuMicroseconds }: Contender): string {
  return cpuMicroseconds.length === 0 ? '' : `${quantile(cpuMicroseconds, 0.5).toFixed(1)} µs of CPU a request`
}
