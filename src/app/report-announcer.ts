/** Announces ended runs of report tasks to InfluxDB and to the MQTT broker. Points and messages wait on disk for them. */
import type { InfluxPoint, InfluxPoints } from '../metrics/influxdb/types.ts'
import type { MqttOutgoing, OutgoingMessage } from '../mqtt/types.ts'
import { errorText } from '../platform/errors.ts'
import { mayReach } from '../platform/mqtt-topics.ts'
import type { Logger } from '../platform/types.ts'
import type { RunRecord } from '../reports/runs/ledger.ts'

export interface AnnouncerDeps {
  readonly log: Logger
  /** `points` are null when InfluxDB is off, and in shadow mode. */
  readonly influx: { readonly points: InfluxPoints | null }
  /** `outgoing` is null when MQTT is not configured. */
  readonly messages: { readonly outgoing: Pick<MqttOutgoing, 'send'> | null }
}

export interface AnnouncerSettings {
  /** In shadow mode nothing is published. */
  readonly shadow: boolean
  /** The topic whose messages start tasks; never published to. */
  readonly startTopic: string
}

/** To be called with each run that has ended. `messageOf` makes its message for the broker. Never throws. */
export function createReportAnnouncer(
  { log, influx, messages }: AnnouncerDeps,
  messageOf: (run: RunRecord) => OutgoingMessage,
  { shadow, startTopic }: AnnouncerSettings,
): (run: RunRecord) => void {
  const { points } = influx
  const outgoing = shadow ? null : messages.outgoing

  async function publish(run: RunRecord): Promise<void> {
    const message = messageOf(run)
    if (mayReach(startTopic, message.topic)) throw new Error(`messages to ${message.topic} start tasks`)
    if ((await outgoing?.send(message)) === 'full') throw new Error('too many messages wait for the broker')
  }

  return (run) => {
    const failed = (what: string) => (error: unknown) =>
      log.error(`REPORTTASK: run=${run.id.slice(-8)} ${what}: ${errorText(error)}`)
    const point = points && reportPoint(run)
    if (point) points.writePoints([point]).catch(failed('is not stored in InfluxDB'))
    if (outgoing) publish(run).catch(failed('is not published to MQTT'))
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
