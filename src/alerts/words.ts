/** How events are named for people: in titles, mails and messages of every channel. */
import type { EventOutcome, EventType, TaskEvent } from '../events/types.ts'
import type { DeliveryKind } from './types.ts'

export const TYPE_LABELS: Readonly<Record<EventType, string>> = {
  reload: 'Reload',
  externalProgram: 'External program',
  userSync: 'User sync',
  distribute: 'Distribute',
  preload: 'Preload',
  cloudReload: 'Cloud reload',
  service: 'Service',
  license: 'License',
  self: 'Footman',
}

export const OUTCOME_WORDS: Readonly<Record<EventOutcome, string>> = {
  failed: 'failed',
  aborted: 'aborted',
  success: 'succeeded',
  late: 'late',
  stuck: 'stuck',
  neverStarted: 'never started',
  stopped: 'stopped',
  started: 'started',
  unreachable: 'unreachable',
  status: 'status',
  expiring: 'expiring',
  expired: 'expired',
  raised: 'raised',
  cleared: 'cleared',
}

/** `Reload failed`, `Service stopped`; of a recovery `Reload recovered`. */
export function headingOf(type: EventType, outcome: EventOutcome, kind: DeliveryKind = 'alert'): string {
  return `${TYPE_LABELS[type]} ${kind === 'recovery' ? 'recovered' : OUTCOME_WORDS[outcome]}`
}

/** What the event is about: a task, a cloud app, a service on a host, the licence, a code of Footman's own. */
export function subjectName(
  event: Pick<TaskEvent, 'type' | 'taskName' | 'appName' | 'host' | 'code' | 'details' | 'task'>,
): string {
  const { details } = event
  if (details?.kind === 'service') return `${details.displayName || details.serviceName} on ${event.host}`
  if (event.type === 'license') return 'Qlik Sense server license'
  if (event.type === 'self') return event.code ?? ''
  return event.taskName || event.task?.name || event.appName
}

/** The built-in title of any message: `Reload failed: Sales DW - hourly`. */
export function titleOf(event: TaskEvent, kind: DeliveryKind = 'alert'): string {
  const subject = subjectName(event)
  const heading = headingOf(event.type, event.outcome, kind)
  return `${event.test ? '[TEST] ' : ''}${subject ? `${heading}: ${subject}` : heading}`
}
