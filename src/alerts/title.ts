/** The one line that names an event wherever events are listed, and the built-in title of messages. */
import type { EventOutcome, EventType, TaskEvent } from '../events/types.ts'

export type TitleFacts = Pick<
  TaskEvent,
  'type' | 'outcome' | 'taskName' | 'appId' | 'appName' | 'host' | 'code' | 'details' | 'test'
>

export const TYPE_LABELS: Readonly<Record<EventType, string>> = {
  reload: 'Reload',
  externalProgram: 'External program',
  userSync: 'User sync',
  distribute: 'Distribute',
  preload: 'Preload',
  cloudReload: 'Cloud reload',
  appReload: 'App reload',
  service: 'Service',
  license: 'License',
  self: 'Footman',
}

const OUTCOME_WORDS: Readonly<Record<EventOutcome | 'recovered', string>> = {
  failed: 'failed',
  aborted: 'aborted',
  success: 'succeeded',
  late: 'late',
  stuck: 'stuck',
  neverStarted: 'never started',
  recovered: 'recovered',
  stopped: 'stopped',
  started: 'started',
  unreachable: 'unreachable',
  status: 'status',
  expiring: 'expiring',
  expired: 'expired',
  raised: 'raised',
  cleared: 'cleared',
}

/** `[TEST] Reload failed: Financial Dashboard Reload`; `outcome` stands in for that of the event. */
export function eventTitle(event: TitleFacts, outcome: EventOutcome | 'recovered' = event.outcome): string {
  const subject = subjectName(event)
  const heading = eventHeading(event.type, outcome)
  const title = subject ? `${heading}: ${subject}` : heading
  return event.test ? `[TEST] ${title}` : title
}

/** `Reload failed`, `Service stopped`, `Reload recovered`. */
export function eventHeading(type: EventType, outcome: EventOutcome | 'recovered'): string {
  return `${TYPE_LABELS[type]} ${OUTCOME_WORDS[outcome]}`
}

/** The subject of the event as a reader names it: the task, the app, the service and its host, the code. */
export function subjectName({ type, taskName, appId, appName, host, code, details }: TitleFacts): string {
  if (type === 'appReload') return appName || appId
  if (type === 'cloudReload') return appName
  if (type === 'license') return 'Qlik Sense server license'
  if (type === 'self') return code ?? ''
  if (type !== 'service') return taskName
  const service = details?.kind === 'service' ? details.displayName || details.serviceName : ''
  return [service, host].filter(Boolean).join(' on ')
}
