/** Announces ended runs of report tasks to InfluxDB and to the MQTT broker. Points and messages wait on disk for them. */
import type { InfluxPoint, InfluxPoints } from '../metrics/influxdb/types.ts'
import type { MqttOutgoing, OutgoingMessage } from '../mqtt/types.ts'
import { mayReach } from '../platform/mqtt-topics.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import type { RunEnd, RunRecord } from '../reports/runs/ledger.ts'

export interface AnnouncerDeps {
  readonly log: Logger
  /** `points` are null when InfluxDB is off, and in shadow mode. */
  readonly influx: { readonly points: InfluxPoints | null }
  /** `outgoing` is null when MQTT is not configured. */
  readonly messages: { readonly outgoing: Pick<MqttOutgoing, 'put'> | null }
}

export interface AnnouncerSettings {
  /** In shadow mode nothing is published. */
  readonly shadow: boolean
  /** The topic whose messages start tasks; never published to. */
  readonly startTopic: string
}

/**
 * To be called with each run that has ended, in the transaction that stores its end: both are on disk then, or neither.
 * `messageOf` makes its message for the broker. Throws only what the storage says.
 */
export function createReportAnnouncer(
  { log, influx: { points }, messages }: AnnouncerDeps,
  messageOf: (run: RunRecord) => OutgoingMessage,
  { shadow, startTopic }: AnnouncerSettings,
): (end: RunEnd, tx: Database) => void {
  const outgoing = shadow ? null : messages.outgoing

  return ({ run }, tx) => {
    const point = points && reportPoint(run)
    if (point) points.put(tx, point)
    // A disabled task makes no noise.
    if (!outgoing || run.reason === 'TASK_DISABLED') return
    const message = messageOf(run)
    if (!mayReach(startTopic, message.topic)) return outgoing.put(tx, message)
    log.error(`REPORTTASK: run=${run.id.slice(-8)} is not published to MQTT: messages to ${message.topic} start tasks`)
  }
}

/** Null for runs that repeat deliveries, and for those that were skipped before they began. */
function reportPoint(run: RunRecord): InfluxPoint | null {
  const { trigger, outcome, startedAt, finishedAt, counts } = run
  if (trigger.type === 'resend' || finishedAt === null) return null
  if (outcome === 'skipped' && startedAt === null) return null
  return {
    measurement: 'report_task',
    tags: {
      report_task_id: run.taskId,
      report_task_name: run.taskName,
      project: run.project,
      outcome,
      trigger_type: trigger.type,
    },
    fields: {
      duration_ms: startedAt === null ? 0 : finishedAt - startedAt,
      documents: counts?.documents,
      mails_sent: counts?.mailsSent,
      mails_failed: counts?.mailsFailed,
      warnings: counts?.warnings,
      errors: counts?.errors,
    },
    time: finishedAt,
  }
}
