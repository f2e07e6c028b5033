import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { HttpSink } from '../support/http-sink.ts'
import { mainThreadCpuSecondsOf, memoryOf } from './process.ts'
import type { Measurement } from './report.ts'
import { startTarget, type TargetSettings } from './target.ts'

const COUNT = 10_000
/** Nothing new for so long: the rest is counted as lost. */
const SILENCE_MS = 30_000
/** Megabytes, and how long it may take until no more are resident. */
const SETTLED = { mb: 130, withinMs: 60_000 }

/** Failures within one second: how many come out as webhook calls, and when the last one does. */
export async function measureBurst(settings: TargetSettings, sink: HttpSink): Promise<Measurement[]> {
  const directory = join(settings.directory, 'burst')
  mkdirSync(directory, { recursive: true })
  const target = await startTarget({ ...settings, directory })
  await using product = target.running
  sink.requests.length = 0
  const requestsBefore = (await settings.site.repositoryRequests()).length

  const cpuBefore = mainThreadCpuSecondsOf(product.pid)
  const started = performance.now()
  const sending = settings.site.burst(target.udpPort, COUNT)
  const arrived = await collect(sink)
  const { executionIds, tookMs } = await sending
  const cpu = mainThreadCpuSecondsOf(product.pid)
  const atEnd = memoryOf(product.pid)
  const requests = (await settings.site.repositoryRequests()).length - requestsBefore
  const settled = await settle(product.pid)
  await product.stop()

  const lost = executionIds.filter((id) => !arrived.has(id)).length
  const last = (sink.requests.at(-1)?.at ?? Number.NaN) - started
  return [
    {
      name: `burst of ${COUNT} failures: lost`,
      value: lost,
      unit: 'alerts',
      atMost: 0,
      note: `sent within ${Math.round(tookMs)} ms`,
    },
    { name: 'burst: delivered twice', value: sink.requests.length - arrived.size, unit: 'alerts' },
    {
      name: 'burst: request for it to last delivery',
      value: last / 1000,
      unit: 's',
      atMost: 12,
      note: `${Math.round((arrived.size / last) * 1000)} alerts/s through journal, QRS, outbox and webhook`,
    },
    {
      name: 'burst: CPU of the main thread',
      value: cpu === null || cpuBefore === null ? null : ((cpu - cpuBefore) * 1000) / COUNT,
      unit: 'ms/event',
      atMost: 1,
    },
    { name: 'burst: requests to the repository', value: requests, unit: '', atMost: 600 },
    {
      name: 'burst: resident memory, at most a minute later',
      value: settled.mb,
      unit: 'MB',
      atMost: SETTLED.mb,
      note: `after ${Math.round(settled.ms / 1000)} s; ${atEnd?.rss.toFixed(0) ?? '-'} MB with the last delivery`,
    },
  ]
}

/** Waits until the memory of the burst has been given back. */
async function settle(pid: number): Promise<{ readonly mb: number | null; readonly ms: number }> {
  const started = performance.now()
  for (;;) {
    const mb = memoryOf(pid)?.rss ?? null
    const ms = performance.now() - started
    if (mb === null || mb <= SETTLED.mb || ms >= SETTLED.withinMs) return { mb, ms }
    await Bun.sleep(500)
  }
}

/** Waits until every alert has arrived or nothing new has come for a while; the execution ids seen. */
async function collect(sink: HttpSink): Promise<Set<string>> {
  const seen = new Set<string>()
  let read = 0
  let newest = performance.now()
  while (seen.size < COUNT && performance.now() - newest < SILENCE_MS) {
    if (read < sink.requests.length) newest = performance.now()
    for (; read < sink.requests.length; read++) {
      const { executionId } = JSON.parse(sink.requests[read]?.body || '{}') as { executionId?: string }
      if (executionId) seen.add(executionId)
    }
    await Bun.sleep(20)
  }
  return seen
}
