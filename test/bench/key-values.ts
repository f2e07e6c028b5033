/** Durable writes and reads of the key-value store, beside a bare server. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { runBinary } from '../support/binary.ts'
import { repositoryRoot } from '../support/source.ts'
import { requestsPerSecond } from './load.ts'
import type { Measurement } from './report.ts'
import { PING, startTarget, type TargetSettings } from './target.ts'

const ROUNDS = 3
const SECONDS = 1.5
const CONNECTIONS = 32
/** Of what the bare server does with the same connections. */
const LEAST_PERCENT = { put: 15, get: 40 }
const PATH = '/v4/keyvalues/bench'

/** One request at a time on each of 32 connections, in turns in the same run; every write is on disk when answered. */
export async function measureKeyValues(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'key-values')
  mkdirSync(directory, { recursive: true })
  const script = join(repositoryRoot, 'test', 'bench', 'bare-server.ts')
  await using bareProcess = runBinary([script], { command: process.execPath })
  const [, barePort] = await bareProcess.waitForLine(/listening on (\d+)/)
  const target = await startTarget({ ...settings, directory })
  await using _product = target.running

  let written = 0
  const write = () =>
    JSON.stringify({ key: `k${written++ % 500}`, value: 'a value of some length, as load scripts have it' })
  const load = { seconds: SECONDS, connections: CONNECTIONS, pipeline: 1 }
  const contenders = {
    bare: { ...load, port: Number(barePort), path: PING },
    put: { ...load, port: target.restPort, path: PATH, method: 'POST', body: write, status: 201 },
    get: { ...load, port: target.restPort, path: `${PATH}?key=k1` },
  }
  const best = { bare: 0, put: 0, get: 0 }
  const order = ['bare', 'put', 'get'] as const
  // The first round warms up, and makes the pairs that are read.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of order) {
      const rate = await requestsPerSecond(contenders[name])
      if (round > 0) best[name] = Math.max(best[name], rate)
    }
  }
  const ratio = (name: 'put' | 'get') => (100 * best[name]) / best.bare
  return [
    { name: 'key-values: bare Bun.serve', value: best.bare, unit: '/s', note: `${CONNECTIONS} connections` },
    {
      name: 'key-values: durable writes',
      value: best.put,
      unit: '/s',
      note: 'an fsync for each group: see disk',
    },
    { name: 'key-values: durable writes / bare', value: ratio('put'), unit: '%', atLeast: LEAST_PERCENT.put },
    { name: 'key-values: reads', value: best.get, unit: '/s' },
    { name: 'key-values: reads / bare', value: ratio('get'), unit: '%', atLeast: LEAST_PERCENT.get },
  ]
}
