/** Reports about this process: for how long it has run and how much memory it takes, in the log and for New Relic. */
import type { Frequency } from '../platform/frequency.ts'
import type { Clock, Logger, LogLevel } from '../platform/types.ts'
import type { UptimeMonitorConfig } from './config.ts'
import { type NameValue, tagsOf } from './types.ts'

/** Bytes. */
export interface MemoryUsage {
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  readonly rss: number
}

export interface UptimeMonitorDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly memory: () => MemoryUsage
  /** When the process began, milliseconds since 1970. */
  readonly startedAt: number
  /** Null = New Relic is not wanted; the text is the body of a request to the metric API. */
  readonly sendMetrics: ((body: string) => Promise<void>) | null
}

export interface UptimeMonitorSettings {
  readonly logLevel: LogLevel
  readonly frequency: Frequency
  readonly storeNewRelic: Pick<UptimeMonitorConfig['storeNewRelic'], 'metric' | 'attribute'>
  readonly version: string
}

/** One report. */
export function createUptimeMonitor(deps: UptimeMonitorDeps, settings: UptimeMonitorSettings): () => Promise<void> {
  const { clock, log, startedAt } = deps
  let iteration = 0

  function attributes(): Record<string, string> {
    const { static: fixed, dynamic } = settings.storeNewRelic.attribute
    const version: NameValue[] = dynamic.butlerVersion.enable ? [{ name: 'version', value: settings.version }] : []
    return { metricType: 'butler-uptime', ...tagsOf([...fixed, ...version]) }
  }

  return async () => {
    iteration += 1
    const memory = deps.memory()
    const now = clock.now()
    log[settings.logLevel]('--------------------------------')
    log[settings.logLevel](uptimeLine(iteration, startedAt, now, memory))
    const metrics = metricsOf(memory, now - startedAt, settings.storeNewRelic.metric.dynamic)
    if (metrics.length === 0 || !deps.sendMetrics) return
    const common = { timestamp: now, 'interval.ms': intervalOf(settings.frequency, now), attributes: attributes() }
    await deps.sendMetrics(JSON.stringify([{ common, metrics }]))
  }
}

/** From one coming report to the next. */
function intervalOf(frequency: Frequency, now: number): number {
  const first = frequency.next(now)
  const second = first === null ? null : frequency.next(first)
  return first === null || second === null ? 0 : second - first
}

function metricsOf(
  memory: MemoryUsage,
  uptimeMs: number,
  wanted: UptimeMonitorConfig['storeNewRelic']['metric']['dynamic'],
) {
  const gauge = (name: string, value: number) => ({ name, type: 'gauge', value })
  return [
    ...(wanted.butlerMemoryUsage.enable
      ? [
          gauge('qs_butlerHeapUsed', memory.heapUsed),
          gauge('qs_butlerHeapTotal', memory.heapTotal),
          gauge('qs_butlerExternalMem', memory.external),
          gauge('qs_butlerProcessMem', memory.rss),
        ]
      : []),
    ...(wanted.butlerUptime.enable ? [gauge('qs_butlerUptimeMillisec', uptimeMs)] : []),
  ]
}

const megabytes = (bytes: number): number => Math.round((bytes / 1024 / 1024) * 100) / 100

function uptimeLine(iteration: number, from: number, to: number, memory: MemoryUsage): string {
  const count = iteration.toLocaleString('en-US')
  return (
    `Iteration # ${count}, Uptime: ${uptimeText(from, to)}, ` +
    `Heap used ${megabytes(memory.heapUsed)} MB of total heap ${megabytes(memory.heapTotal)} MB. ` +
    `External (off-heap): ${megabytes(memory.external)} MB. Memory allocated to process: ${megabytes(memory.rss)} MB.`
  )
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const

/** In units of the calendar, `1 month 12 days 1 second`; empty below a second. */
export function uptimeText(from: number, to: number): string {
  const months = wholeMonths(from, to)
  let rest = to - addMonths(from, months)
  const parts: [string, number][] = [
    ['year', Math.floor(months / 12)],
    ['month', months % 12],
  ]
  for (const [name, ms] of UNITS) {
    parts.push([name, Math.floor(rest / ms)])
    rest %= ms
  }
  return parts.flatMap(([name, n]) => (n > 0 ? [`${n} ${name}${n === 1 ? '' : 's'}`] : [])).join(' ')
}

function wholeMonths(from: number, to: number): number {
  const [a, b] = [new Date(from), new Date(to)]
  const months = (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth()
  return Math.max(0, addMonths(from, months) > to ? months - 1 : months)
}

/** The same day of a later month, or its last day where there is none such. */
function addMonths(from: number, months: number): number {
  const date = new Date(from)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime()
}
