/** What the parts beside events and HTTP count: Qlik Sense, task starts, the broker, the key-value store. */
import { byLabel, counter, gauge, histogram } from './family.ts'
import { CALL_SECONDS, createCounter, createDistribution } from './series.ts'
import type { MetricFamily } from './types.ts'

export interface QrsMetrics {
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

export interface StartMetrics {
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

export interface MqttMetrics {
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

export interface KeyValueMetrics {
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
      counter('footman_kv_operations_total', 'What was done with the key-value store.', operations),
    ],
  }
}

export interface FileMetrics {
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
