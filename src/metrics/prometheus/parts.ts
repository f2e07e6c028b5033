/** Metrics of the smaller parts: Qlik Sense, task starts, broker, key-value store, files, monitors, schedules, report tasks. */

import type { MonitorStates } from '../../monitors/types.ts'
import type { RunCounts } from '../../reports/runs/contract.ts'
import {
  byLabel,
  CALL_SECONDS,
  counter,
  createCounter,
  createDistribution,
  gauge,
  gauges,
  histogram,
  type MetricFamily,
  RUN_SECONDS,
} from './families.ts'

interface QrsMetrics {
  /** One request, quick retries included; `result` is `ok` or why it failed. */
  onRequest(result: string, milliseconds: number): void
  readonly families: readonly MetricFamily[]
}

export function createQrsMetrics(): QrsMetrics {
  const requests = createCounter('result')
  const seconds = createDistribution(CALL_SECONDS)
  return {
    onRequest(result, milliseconds) {
      requests.add({ result })
      seconds.observe(milliseconds / 1000)
    },
    families: [
      counter('footman_qrs_requests_total', 'Requests to the repository service (QRS).', requests),
      histogram('footman_qrs_request_duration_seconds', 'Time until QRS had answered, or the request had failed.', {
        labels: [],
        samples: () => seconds.samples({}),
      }),
    ],
  }
}

/** The members of a start's outcome that count. */
export interface StartReport {
  readonly started: readonly unknown[]
  readonly failed: readonly unknown[]
  /** Counted when they leave the queue. */
  readonly queued?: readonly { readonly settled: Promise<object> }[]
  readonly notFound: readonly unknown[]
  readonly denied: Readonly<Record<'taskIds' | 'tags' | 'customProperties', readonly unknown[]>>
}

interface StartMetrics {
  /** `report` null: the request as a whole failed, and nothing was started. */
  onStart(origin: string, report: StartReport | null): void
  readonly families: readonly MetricFamily[]
}

export function createStartMetrics(queueLength: () => number): StartMetrics {
  const starts = createCounter('origin', 'result')

  return {
    onStart(from, report) {
      const origin = from === 'followUp' ? 'follow_up' : from
      const add = (result: string, times = 1): void => {
        if (times > 0) starts.add({ origin, result }, times)
      }
      if (!report) return add('error')
      const { started, failed, queued = [], notFound, denied } = report
      add('started', started.length)
      add('failed', failed.length)
      add('not_found', notFound.length)
      add('denied', denied.taskIds.length + denied.tags.length + denied.customProperties.length)
      for (const { settled } of queued) void settled.then((result) => add('error' in result ? 'failed' : 'started'))
    },
    families: [
      counter('footman_task_starts_total', 'Tasks that were to be started, and requests that failed.', starts),
      gauge('footman_start_queue_length', 'Tasks that wait in the start queue.', queueLength),
    ],
  }
}

interface MqttMetrics {
  onMessage(direction: 'in' | 'out'): void
  readonly families: readonly MetricFamily[]
}

/** `enabled`: whether there is a broker at all. */
export function createMqttMetrics(enabled: boolean): MqttMetrics {
  const messages = { in: 0, out: 0 }
  return {
    onMessage(direction) {
      messages[direction] += 1
    },
    families: [
      counter(
        'footman_mqtt_messages_total',
        'Messages from (in) and to (out) the broker.',
        byLabel('direction', () => (enabled ? Object.entries(messages) : [])),
      ),
    ],
  }
}

interface KeyValueMetrics {
  onOperation(operation: string, times: number): void
  readonly families: readonly MetricFamily[]
}

export interface KeyValueSizes {
  readonly namespaces: number
  readonly keys: number
}

/** `sizes` is null while the store is off. */
export function createKeyValueMetrics(sizes: () => KeyValueSizes | null): KeyValueMetrics {
  const operations = createCounter('operation')
  return {
    onOperation: (operation, times) => operations.add({ operation }, times),
    families: [
      gauge('footman_kv_namespaces', 'Namespaces of the key-value store.', () => sizes()?.namespaces ?? null),
      gauge('footman_kv_keys', 'Pairs that can be read.', () => sizes()?.keys ?? null),
      counter('footman_kv_operations_total', 'Operations on the key-value store.', operations),
    ],
  }
}

interface FileMetrics {
  /** `bytes`: copied, moved or deleted. */
  onFileOperation(operation: string, result: string, bytes: number): void
  readonly families: readonly MetricFamily[]
}

export function createFileMetrics(): FileMetrics {
  const operations = createCounter('operation', 'result')
  const volume = createCounter('operation')
  return {
    onFileOperation(operation, result, bytes) {
      operations.add({ operation, result })
      if (bytes > 0) volume.add({ operation }, bytes)
    },
    families: [
      counter('footman_file_operations_total', 'File operations that have ended.', operations),
      counter('footman_file_bytes_total', 'Bytes of files that were copied, moved or deleted.', volume),
    ],
  }
}

/** Services and licences. */
export function monitorFamilies(states: () => MonitorStates): readonly MetricFamily[] {
  const perType = (member: 'allocated' | 'available') =>
    byLabel('license_type', () =>
      states().licenses.flatMap((license): (readonly [string, number])[] => {
        const value = license[member]
        return value === null ? [] : [[license.type, value]]
      }),
    )
  return [
    gauges(
      'footman_service_state',
      'State of a watched service: 1 stopped, 2 starting, 3 stopping, 4 running, 5 continuing, 6 pausing, 7 paused, -1 unknown.',
      {
        labels: ['host', 'service'],
        samples: () =>
          states().services.map(({ host, service, number }) => ({ labels: { host, service }, value: number })),
      },
    ),
    gauge(
      'footman_license_days_remaining',
      'Days until the server licence of Qlik Sense ends; negative afterwards.',
      () => states().licenseDays,
    ),
    gauges('footman_license_allocated', 'Access licences that are given out.', perType('allocated')),
    gauges('footman_license_available', 'Access licences that are free.', perType('available')),
  ]
}

interface ScheduleMetrics {
  /** A run has begun, ended or was skipped. `lagMs`: its delay; null when it does not apply. */
  onScheduleRun(run: { readonly state: string; readonly outcome: string | null }, lagMs: number | null): void
  readonly families: readonly MetricFamily[]
}

/** Schedules: counts, outcomes of runs, delays. `states`: how many schedules are running, stopped or invalid; null while the scheduler is off. */
export function createScheduleMetrics(states: () => Readonly<Record<string, number>> | null): ScheduleMetrics {
  const runs = createCounter('outcome')
  const lag = createDistribution(CALL_SECONDS)
  return {
    onScheduleRun({ state, outcome }, lagMs) {
      if (lagMs !== null) lag.observe(lagMs / 1000)
      if (state === 'skipped') runs.add({ outcome: 'skipped' })
      else if (state === 'finished') runs.add({ outcome: outcome ?? 'unknown' })
    },
    families: [
      gauges(
        'footman_schedules',
        'Schedules.',
        byLabel('state', () => Object.entries(states() ?? {})),
      ),
      counter('footman_schedule_runs_total', 'Runs of schedules that have ended or were skipped.', runs),
      histogram('footman_schedule_lag_seconds', 'Time from the moment when a schedule was due to its run.', {
        labels: [],
        samples: () => (states() ? lag.samples({}) : []),
      }),
    ],
  }
}

/** The members of the end of a run of a report task that count; times in milliseconds. */
export interface ReportRunReport {
  readonly run: {
    readonly outcome: string | null
    /** Null when it never began. */
    readonly startedAt: number | null
    readonly finishedAt: number | null
    readonly counts: Pick<RunCounts, 'mailsSent' | 'mailsFailed' | 'mailsHeld'> | null
  }
  /** Number of documents by format. */
  readonly formats: Readonly<Record<string, number>>
}

interface ReportMetrics {
  onReportFinished(end: ReportRunReport): void
  readonly families: readonly MetricFamily[]
}

/** Report tasks: runs that wait, sessions that runs have at the engine; null while report tasks are off. */
export function createReportMetrics(now: {
  queueLength(): number | null
  engineSessions(): number | null
}): ReportMetrics {
  const runs = createCounter('outcome')
  const seconds = createDistribution(RUN_SECONDS)
  const mails = createCounter('state')
  const documents = createCounter('format')
  const isOn = () => now.queueLength() !== null
  return {
    onReportFinished({ run: { outcome, startedAt, finishedAt, counts }, formats }) {
      runs.add({ outcome: outcome ?? 'unknown' })
      if (startedAt !== null && finishedAt !== null) seconds.observe((finishedAt - startedAt) / 1000)
      for (const [format, count] of Object.entries(formats)) documents.add({ format }, count)
      if (!counts) return
      mails.add({ state: 'sent' }, counts.mailsSent)
      mails.add({ state: 'failed' }, counts.mailsFailed)
      mails.add({ state: 'held' }, counts.mailsHeld)
    },
    families: [
      counter('footman_report_runs_total', 'Runs of report tasks that have ended or were skipped.', runs),
      histogram(
        'footman_report_run_duration_seconds',
        'Time from the start of a run to its end, deliveries included.',
        {
          labels: [],
          samples: () => (isOn() ? seconds.samples({}) : []),
        },
      ),
      counter('footman_report_documents_total', 'Documents that runs have made.', documents),
      counter(
        'footman_report_mails_total',
        'Mails of report tasks: sent, failed, or held as it is not known whether they left.',
        mails,
      ),
      gauge('footman_report_queue_length', 'Runs of report tasks that wait.', now.queueLength),
      gauge(
        'footman_report_engine_sessions',
        'Sessions that runs of report tasks have at the engine.',
        now.engineSessions,
      ),
    ],
  }
}
