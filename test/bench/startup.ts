import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { memoryOf } from './process.ts'
import { type Measurement, quantile } from './report.ts'
import { startTarget, type TargetSettings } from './target.ts'

const STARTS = 10
/** Idle time before memory is read: connections are made and the start's garbage is collected by then. */
const IDLE_MS = 8_000

/** Starts the product again and again on the same data; then looks at its memory when idle. */
export async function measureStart(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'start')
  mkdirSync(directory, { recursive: true })
  const starts: { readonly ms: number; readonly cpuMs: number | null }[] = []
  for (let index = 0; index <= STARTS; index++) {
    const { running, startMs, startCpuMs } = await startTarget({ ...settings, directory })
    starts.push({ ms: startMs, cpuMs: startCpuMs })
    await running.stop()
  }
  const [first, ...later] = starts
  const times = later.map(({ ms }) => ms)
  const cpuTimes = later.flatMap(({ cpuMs }) => cpuMs ?? [])
  const cpu = cpuTimes.length > 0 ? `; CPU ${Math.round(quantile(cpuTimes, 0.5))} ms` : ''
  const [fastest, slowest] = [Math.min(...times), Math.max(...times)].map(Math.round)
  return [
    { name: 'first start, makes the databases', value: first?.ms ?? null, unit: 'ms' },
    {
      name: 'start: process to first answered ping',
      value: quantile(times, 0.5),
      unit: 'ms',
      atMost: 150,
      note: `median of ${STARTS}; ${fastest} to ${slowest} ms${cpu}`,
    },
    ...(await measureIdleMemory(settings)),
  ]
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
