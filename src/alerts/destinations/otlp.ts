/** OpenTelemetry log records over HTTP with JSON (OTLP 1.x): many events in one request. */
import { z } from 'zod'
import { map } from '../../config/fields.ts'
import type { Severity, TaskEvent } from '../../events/types.ts'
import { type HttpResponse, jsonOf } from '../../platform/http-client.ts'
import { saysTooLarge } from '../../platform/too-large.ts'
import { runOf } from '../../qlik/qrs/execution.ts'
import { cut } from '../message-text/cut.ts'
import { appIdOf, appNameOf, taskNameOf } from '../message-text/labels.ts'
import { SHORTENED } from '../outbox/shorten.ts'
import type { DeliveryResult, Message, TargetedDestination } from '../types.ts'
import { createHttpSender, createMasker, explanation, hostOf, httpFailure, httpResult } from './http.ts'
import { httpHeaders, type SettingsOf, serverUrl } from './settings.ts'
import { type DestinationDeps, type DestinationType, TEXT_NEEDS } from './types.ts'

const SEVERITY_NUMBERS: Readonly<Record<Severity, number>> = { critical: 21, error: 17, warning: 13, info: 9 }
const SEVERITY_TEXTS: Readonly<Record<Severity, string>> = {
  critical: 'FATAL',
  error: 'ERROR',
  warning: 'WARN',
  info: 'INFO',
}
/** The only statuses after which OTLP allows a client to repeat its request. */
const TEMPORARY = [429, 502, 503, 504]
const BATCH_SIZE = 500
/** Characters of a collector's message about refused records. */
const REFUSAL_KEPT = 300

const config = () => ({
  endpoint: serverUrl('Address of the collector; /v1/logs is appended.', 'http://localhost:4318').meta({
    label: 'Collector',
    hint: 'Address with port, like https://otel.acme.example:4318; /v1/logs is appended.',
  }),
  headers: httpHeaders(),
  resource: map('Extra resource attributes.', z.string()).meta({
    label: 'Resource attributes',
    hint: 'Extra ones, one a line, like deployment.environment=production.',
    advanced: true,
  }),
})
type Settings = SettingsOf<typeof config>

export const otlp: DestinationType<typeof config> = {
  title: 'OpenTelemetry',
  about: 'Every message as a log record to a collector (OTLP over HTTP).',
  purpose: 'record',
  config,
  server: ({ endpoint }) => ['endpoint', endpoint],
  create: createOtlpDestination,
}

function createOtlpDestination(settings: Settings, deps: DestinationDeps, name: string): TargetedDestination {
  const { endpoint, headers } = settings
  const key = `Butler.footman.destinations.${name}.endpoint`
  const sender = createHttpSender(deps, settings)
  const mask = createMasker(Object.values(headers))
  const resource = {
    attributes: attributes({
      'service.name': 'footman',
      'service.version': deps.version,
      'service.instance.id': deps.hostname,
      ...settings.resource,
    }),
  }

  function post(batch: readonly Message[], signal: AbortSignal): Promise<HttpResponse> {
    const logRecords = batch.map(({ payload }) => payload)
    const body = JSON.stringify({
      resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'footman.events' }, logRecords }] }],
    })
    const url = `${endpoint.replace(/\/+$/, '')}/v1/logs`
    const call = { url, headers: { 'Content-Type': 'application/json', ...headers }, body }
    return sender.exchange(call, batch[0]?.deliveryId ?? '', signal)
  }

  function judge(response: HttpResponse, count: number): DeliveryResult {
    const { status } = response
    const result = httpResult(response, deps.clock.now())
    const size = saysTooLarge(response) ? { tooLarge: true } : {}
    const reason = explanation(response, mask)
    const detail = reason ? `HTTP ${status}: ${reason}` : `HTTP ${status}`
    if (TEMPORARY.includes(status)) return { ...result, detail }
    if (result.outcome !== 'delivered') return { outcome: 'rejected', detail, ...size }
    const { rejected, why } = partialSuccess(response)
    if (rejected === 0) return result
    const refused = cut(mask(`${rejected} of ${count} records refused${why && `: ${why}`}`), REFUSAL_KEPT)
    if (rejected >= count) return { outcome: 'rejected', detail: refused, ...size }
    deps.log.warn(`NOTIFY ${name}: ${refused}`)
    return { outcome: 'delivered', detail: refused }
  }

  async function deliver(batch: readonly Message[], signal: AbortSignal): Promise<readonly DeliveryResult[]> {
    const result = await post(batch, signal).then(
      (response) => judge(response, batch.length),
      (error) => httpFailure(error, key),
    )
    if (result.outcome !== 'rejected' || !result.tooLarge || batch.length === 1) return batch.map(() => result)
    const middle = batch.length >> 1
    const first = await deliver(batch.slice(0, middle), signal)
    return [...first, ...(await deliver(batch.slice(middle), signal))]
  }

  return {
    name,
    type: 'otlp',
    needs: TEXT_NEEDS,
    batchSize: BATCH_SIZE,
    targets: () => [{ target: hostOf(endpoint), lane: name }],
    async render(input) {
      const { deliveryId, target, event, isShortened = false } = input
      const { title, variables } = await deps.texts.write(input, settings)
      const record = logRecord(event, title, input.severity, String(variables.errorText ?? ''), isShortened)
      return { deliveryId, target, subject: title, body: JSON.stringify(record), payload: record }
    },
    deliver,
    close: async () => sender.close(),
  }
}

function logRecord(event: TaskEvent, title: string, severity: Severity, error: string, isShortened: boolean) {
  const nanoseconds = `${event.receivedAt}000000`
  return {
    timeUnixNano: nanoseconds,
    observedTimeUnixNano: nanoseconds,
    severityNumber: SEVERITY_NUMBERS[severity],
    severityText: SEVERITY_TEXTS[severity],
    eventName: `qlik.${event.type}.${event.outcome}`,
    body: { stringValue: title },
    attributes: attributes({
      'footman.event.id': event.id,
      'qlik.task.id': event.taskId,
      'qlik.task.name': taskNameOf(event),
      'qlik.app.id': appIdOf(event),
      'qlik.app.name': appNameOf(event),
      'qlik.execution.id': event.executionId,
      'qlik.execution.duration_ms': event.execution ? runOf(event.execution).durationMs : '',
      'qlik.error': error,
      'footman.note': isShortened ? SHORTENED : '',
      'host.name': event.host,
      'user.name': event.user.replaceAll('\\\\', '\\').replaceAll('\\', '/'),
    }),
  }
}

/** Unknown values are left out. Whole numbers are strings in OTLP's JSON. */
function attributes(values: Readonly<Record<string, string | number>>) {
  return Object.entries(values)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => {
      if (typeof value === 'number') return { key, value: { intValue: String(Math.round(value)) } }
      return { key, value: { stringValue: value.toWellFormed() } }
    })
}

function partialSuccess(response: HttpResponse): { rejected: number; why: string } {
  const { rejectedLogRecords = 0, errorMessage = '' } = (jsonOf(response).partialSuccess ?? {}) as {
    readonly rejectedLogRecords?: number | string
    readonly errorMessage?: string
  }
  return { rejected: Number(rejectedLogRecords) || 0, why: String(errorMessage) }
}
