import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { runBinary } from '../support/binary.ts'
import { freeTcpPort } from '../support/ports.ts'
import { memoryOf } from './process.ts'
import { type Measurement, quantile } from './report.ts'
import { firstPing, startTarget, type TargetSettings } from './target.ts'

const STARTS = 20
/** Times the start of a compiled program that does nothing but answer. */
const MOST_TIMES_BARE = 9
/** Idle time before memory is read: connections are made and the start's garbage is collected by then. */
const IDLE_MS = 8_000

/** Starts the product again and again on the same data, in turns with a bare server; then looks at its memory when idle. */
export async function measureStart(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'start')
  mkdirSync(directory, { recursive: true })
  const starts: { readonly ms: number; readonly cpuMs: number | null }[] = []
  const bareServer = await compileBareServer(directory)
  const bareTimes: number[] = []
  for (let index = 0; index <= STARTS; index++) {
    bareTimes.push(await bareStart(bareServer))
    const { running, startMs, startCpuMs } = await startTarget({ ...settings, directory })
    starts.push({ ms: startMs, cpuMs: startCpuMs })
    await running.stop()
  }
  const [first, ...later] = starts
  const times = later.map(({ ms }) => ms)
  const cpuTimes = later.flatMap(({ cpuMs }) => cpuMs ?? [])
  const cpu = cpuTimes.length > 0 ? `; CPU ${Math.round(quantile(cpuTimes, 0.5))} ms` : ''
  const bareMs = quantile(bareTimes, 0.5)
  const [fastest, slowest] = [Math.min(...times), Math.max(...times)].map(Math.round)
  return [
    { name: 'first start, makes the databases', value: first?.ms ?? null, unit: 'ms' },
    {
      name: 'start: process to first answered ping',
      value: quantile(times, 0.5),
      unit: 'ms',
      atMost: 120,
      note: `median of ${STARTS}; ${fastest} to ${slowest} ms${cpu}`,
    },
    { name: 'start: compiled program of one Bun.serve', value: bareMs, unit: 'ms', note: `median of ${STARTS}` },
    { name: 'start: footman / bare', value: quantile(times, 0.5) / bareMs, unit: 'x', atMost: MOST_TIMES_BARE },
    ...(await measureIdleMemory(settings)),
  ]
}

/** The fastest server that the runtime can offer, compiled as the product is. Returns its path. */
async function compileBareServer(directory: string): Promise<string> {
  const outfile = join(directory, 'bare-server')
  const entry = join(import.meta.dirname, 'bare-server.ts')
  const { success, logs } = await Bun.build({
    entrypoints: [entry],
    minify: true,
    bytecode: true,
    format: 'esm',
    target: 'bun',
    throw: false,
    compile: { outfile },
  })
  if (!success) throw new Error(`the bare server cannot be built\n${logs.join('\n')}`)
  return outfile
}

/** Milliseconds from the process to its first answer. */
async function bareStart(command: string): Promise<number> {
  const port = await freeTcpPort()
  const started = performance.now()
  await using _server = runBinary([String(port)], { command })
  await firstPing(port)
  return performance.now() - started
}

async function measureIdleMemory(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'idle')
  mkdirSync(directory, { recursive: true })
  const { running } = await startTarget({ ...settings, directory })
  await Bun.sleep(IDLE_MS)
  const memory = memoryOf(running.pid)
  await running.stop()
  const note = memory ? `${IDLE_MS / 1000} s after the start` : 'only measured on Linux'
  return [
    { name: 'idle memory: resident', value: memory?.rss ?? null, unit: 'MB', atMost: 100, note },
    { name: 'idle memory: anonymous', value: memory?.anonymous ?? null, unit: 'MB', atMost: 50, note },
  ]
}
