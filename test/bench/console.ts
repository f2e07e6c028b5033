/** The console: how fast pages come from a large history, how much a browser gets, and what open streams cost. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { until } from '../support/wait.ts'
import { ALL_ROWS, eventId, growHistory, RARE_TEXT, ROWS } from './console-data.ts'
import { cpuSecondsOf, memoryOf } from './process.ts'
import { type Measurement, quantile } from './report.ts'
import { startTarget, type Target, type TargetSettings } from './target.ts'

interface ConsoleSettings extends TargetSettings {
  /** All rows of the budgets; default a tenth. */
  readonly full: boolean
}

const TASKS = 800
const LOADS = 25
const STREAMS = 200
const CHANGES_PER_SECOND = 50
const STREAM_SECONDS = 10
const STARTS = 5
const IDLE_MS = 8000

export async function measureConsole(settings: ConsoleSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'console')
  mkdirSync(directory, { recursive: true })
  const taskIds = await settings.site.addTasks(TASKS)
  const file = join(directory, 'data', 'footman.db')
  const first = await startTarget({ ...settings, directory })
  await first.running.stop()
  growHistory(file, settings.full ? ALL_ROWS : ROWS, taskIds)

  const target = await startTarget({ ...settings, directory })
  const measurements = await measurePages(target, taskIds[7]!)
  measurements.push(...(await measureTransfer(target)))
  await target.running.stop()

  // The memory of a process that has made many pages says little about streams.
  const fresh = await startTarget({ ...settings, directory })
  await load(fresh, '/console/')
  await Bun.sleep(IDLE_MS)
  measurements.push(...(await measureStreams(fresh, file)))
  await fresh.running.stop()
  return [...measurements, ...(await measureUnused(settings))]
}

/** A page as a browser gets it: packed. */
async function load({ restPort }: Pick<Target, 'restPort'>, path: string) {
  const began = performance.now()
  const answer = await fetch(`http://127.0.0.1:${restPort}${path}`, {
    headers: { 'accept-encoding': 'gzip', accept: 'text/html' },
    decompress: false,
  })
  const reader = answer.body!.getReader()
  let piece = await reader.read()
  const ms = performance.now() - began
  const pieces: Uint8Array[] = []
  for (; !piece.done; piece = await reader.read()) pieces.push(piece.value)
  if (answer.status !== 200) throw new Error(`${path} was answered with ${answer.status}`)
  const packed = Buffer.concat(pieces)
  const text = answer.headers.get('content-encoding') === 'gzip' ? Bun.gunzipSync(packed) : packed
  return { ms, bytes: packed.length, text: Buffer.from(text).toString() }
}

async function measurePages(target: Target, taskId: string): Promise<Measurement[]> {
  const pages: readonly (readonly [name: string, path: string, atMost: number])[] = [
    ['Now', '/', 150],
    ['events', '/events', 60],
    ['events, rare outcome', '/events?outcome=failed', 60],
    ['events, rare type', '/events?type=license', 60],
    // Looking stops after 80 ms, and the page says so.
    ['events, rare text', `/events?q=${RARE_TEXT}`, 160],
    ['event', `/events/${eventId(70_000)}`, 100],
    ['tasks', '/tasks', 60],
    ['task', `/tasks/${taskId}`, 100],
    ['deliveries', '/deliveries', 60],
    ['deliveries, dead', '/deliveries?state=dead', 60],
  ]
  const measurements: Measurement[] = []
  for (const [name, path, atMost] of pages) {
    const times: number[] = []
    const { ms: cold } = await load(target, `/console${path}`)
    const before = cpuSecondsOf(target.running.pid)
    for (let n = 0; n < LOADS; n += 1) times.push((await load(target, `/console${path}`)).ms)
    const used = before === null ? null : (cpuSecondsOf(target.running.pid)! - before) * 1000
    const cpu = used === null ? '' : `, CPU ${(used / LOADS).toFixed(0)} ms`
    const note = `p50 ${quantile(times, 0.5).toFixed(0)} ms${cpu}, the first ${cold.toFixed(0)} ms`
    measurements.push({ name: `console: ${name}, p95`, value: quantile(times, 0.95), unit: 'ms', atMost, note })
  }
  return measurements
}

const KILO = 1000

/** What a browser without a cache gets with the first page. */
async function measureTransfer(target: Target): Promise<Measurement[]> {
  const { text, bytes: html } = await load(target, '/console/')
  const files = [...new Set(text.match(/\/console\/assets\/[^"'#\s]+/g))]
  const sizes = await Promise.all(files.map(async (path) => ({ path, bytes: (await load(target, path)).bytes })))
  const sum = (end: string) =>
    sizes.filter(({ path }) => path.endsWith(end)).reduce((total, { bytes }) => total + bytes, 0) / KILO
  const row = (name: string, value: number, atMost: number): Measurement => ({
    name: `console: first page, ${name}`,
    value,
    unit: 'kB',
    atMost,
  })
  return [
    row('HTML', html / KILO, 35),
    row('styles', sum('.css'), 12),
    row('scripts', sum('.js'), 35),
    row('all', html / KILO + sum(''), 100),
  ]
}

/** Many browsers that follow while things change. */
async function measureStreams(target: Target, file: string): Promise<Measurement[]> {
  const { running, restPort } = target
  const before = memoryOf(running.pid)
  const stop = new AbortController()
  const delays: number[] = []
  const received: number[] = []
  async function follow(n: number): Promise<void> {
    const url = `http://127.0.0.1:${restPort}/console/api/v4/stream?topic=attention&after=${position}`
    const answer = await fetch(url, { signal: stop.signal })
    if (answer.status !== 200) throw new Error(`a stream was answered with ${answer.status}`)
    received[n] = 0
    let rest = ''
    for await (const piece of answer.body!) {
      rest += Buffer.from(piece).toString('latin1')
      const end = rest.lastIndexOf('\n\n')
      for (const [, sent] of rest.slice(0, Math.max(end, 0)).matchAll(/"sent":(\d+)/g)) {
        delays.push(Date.now() - Number(sent))
        received[n]! += 1
      }
      rest = rest.slice(Math.max(end, 0))
    }
  }
  const db = new DatabaseSync(file, { timeout: 10_000 })
  const { position = 0 } =
    (db.prepare("SELECT seq AS position FROM sqlite_sequence WHERE name = 'change_log'").get() as {
      position?: number
    }) ?? {}
  try {
    const followers = Array.from({ length: STREAMS }, (_, n) =>
      follow(n).catch((error: unknown) => {
        if (!stop.signal.aborted) throw error
      }),
    )
    await until(() => received.filter((count) => count !== undefined).length === STREAMS, { what: 'all streams' })
    const insert = db.prepare("INSERT INTO change_log (at, topic, data) VALUES (?, 'attention', ?)")
    const cpuBefore = cpuSecondsOf(running.pid)
    const began = performance.now()
    const total = CHANGES_PER_SECOND * STREAM_SECONDS
    for (let n = 0; n < total; n += 1) {
      await Bun.sleep(Math.max(0, began + (n * 1000) / CHANGES_PER_SECOND - performance.now()))
      insert.run(Date.now(), `{"key":"bench:${n}","kind":"taskFailed","open":true,"sent":${Date.now()}}`)
    }
    await until(() => received.every((count) => count === total), { what: 'every change on every stream' })
    const seconds = (performance.now() - began) / 1000
    const cpu = cpuBefore === null ? null : ((cpuSecondsOf(running.pid)! - cpuBefore) / seconds) * 100
    const after = memoryOf(running.pid)
    stop.abort()
    await Promise.all(followers)
    const name = `console: ${STREAMS} streams, ${CHANGES_PER_SECOND} changes/s`
    const grown = before && after ? after.anonymous - before.anonymous : null
    const late = { name: `${name}, delay p95`, value: quantile(delays, 0.95), unit: 'ms', atMost: 1000 }
    return [
      { ...late, note: `p50 ${quantile(delays, 0.5).toFixed(0)} ms, each change on each stream once` },
      { name: `${name}, more memory`, value: grown, unit: 'MB', atMost: 12, note: 'anonymous' },
      { name: `${name}, CPU`, value: cpu, unit: '% of a core', atMost: 5 },
    ]
  } finally {
    stop.abort()
    db.close()
  }
}

/** Footman with a console that is not opened, beside one without a console. */
async function measureUnused(settings: ConsoleSettings): Promise<Measurement[]> {
  const both = [true, false].map((enable) => {
    const directory = join(settings.directory, `console-${enable}`)
    mkdirSync(directory, { recursive: true })
    return { ...settings, directory, additions: { console: { enable } }, cpu: [] as number[] }
  })
  for (let start = 0; start <= STARTS; start += 1) {
    for (const one of both) {
      const { running, startCpuMs } = await startTarget(one)
      if (start > 0 && startCpuMs !== null) one.cpu.push(startCpuMs)
      await running.stop()
    }
  }
  const targets = await Promise.all(both.map(startTarget))
  await Bun.sleep(IDLE_MS)
  const memory = targets.map(({ running }) => memoryOf(running.pid)?.anonymous ?? null)
  for (const { running } of targets) await running.stop()
  const [withIt, without] = memory
  const [cpuWith = Number.NaN, cpuWithout = Number.NaN] = both.map(({ cpu }) => quantile(cpu, 0.5))
  const name = 'console that is not opened'
  return [
    {
      name: `${name}: start, CPU`,
      value: cpuWith - cpuWithout,
      unit: 'ms more',
      atMost: 10,
      note: `median of ${STARTS}: ${cpuWith.toFixed(0)} ms; without it ${cpuWithout.toFixed(0)} ms; the clock counts in steps of 10 ms`,
    },
    {
      name: `${name}: idle memory`,
      unit: 'MB more',
      atMost: 1,
      value: withIt == null || without == null ? null : withIt - without,
      note: `anonymous: ${withIt?.toFixed(1)} MB; without it ${without?.toFixed(1)} MB`,
    },
  ]
}
