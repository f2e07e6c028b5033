/** Triggers of report tasks and runs in words. */
import type { State } from '../../ui/marks.tsx'

export interface Trigger {
  readonly type: string
  readonly name?: string
  readonly enabled?: boolean
  readonly [member: string]: unknown
}

const WEEKDAYS = ['Sundays', 'Mondays', 'Tuesdays', 'Wednesdays', 'Thursdays', 'Fridays', 'Saturdays', 'Sundays']
const EVENTS: Readonly<Record<string, string>> = {
  taskSucceeded: 'a Qlik task succeeded',
  taskFailed: 'a Qlik task failed',
  taskAborted: 'a Qlik task was aborted',
  appReloaded: 'an app was reloaded',
}

const WORDS: Readonly<Record<string, (trigger: Trigger) => string>> = {
  schedule: ({ cron, once, timezone }) =>
    `${once ? `once at ${once}` : cronText(String(cron ?? ''))}${timezone ? ` (${timezone})` : ''}`,
  qlikEvent: ({ event, match, mode }) => {
    const { taskId = [], tag = [], appId = [] } = (match ?? {}) as Record<string, readonly string[] | undefined>
    const count = taskId.length + tag.length + appId.length
    const which = tag.length > 0 ? ` tagged ${tag.join(', ')}` : count > 1 ? `, ${count} of them` : ''
    return `after ${EVENTS[String(event)] ?? event}${which}${mode === 'all' ? ', when all have' : ''}`
  },
  reportTask: ({ on }) => `after another report task (${Array.isArray(on) ? on.join(', ') : ''})`,
  mqtt: ({ topic }) => `on the MQTT topic ${topic}`,
  keyValue: ({ namespace, key }) => `when the pair ${namespace}/${key} is set`,
}

/** `Mondays at 07:00`, `daily at 06:30`, else the cron text. */
function cronText(cron: string): string {
  const [minute = '', hour = '', day, month, weekday = ''] = cron.trim().split(/\s+/)
  const isClock = /^\d{1,2}$/.test(minute) && /^\d{1,2}$/.test(hour) && month === '*' && cron.split(/\s+/).length === 5
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`
  if (isClock && day === '*' && weekday === '*') return `daily at ${time}`
  if (isClock && day === '*' && /^[0-7]$/.test(weekday)) return `${WEEKDAYS[Number(weekday)]} at ${time}`
  if (isClock && day === '*' && weekday === '1-5') return `on workdays at ${time}`
  if (isClock && /^\d{1,2}$/.test(day ?? '') && weekday === '*') return `on day ${day} of the month at ${time}`
  return `cron ${cron}`
}

export function triggerText(trigger: Trigger): string {
  const text = WORDS[trigger.type]?.(trigger) ?? trigger.type
  return trigger.enabled === false ? `${text} (off)` : text
}

export interface RunTrigger {
  readonly type: string
  readonly detail?: Readonly<Record<string, unknown>>
}

const RUN_TRIGGERS: Readonly<Record<string, string>> = {
  manual: 'started by a call',
  schedule: 'by its schedule',
  qlikEvent: 'by an event of Qlik Sense',
  reportTask: 'after another report task',
  mqtt: 'by an MQTT message',
  keyValue: 'by a key-value pair',
  resend: 'sends deliveries again',
}

/** `started by a call of key:ops: asked by finance`. */
export function runTriggerText({ type, detail = {} }: RunTrigger): string {
  const actor = typeof detail.actor === 'string' ? ` of ${detail.actor}` : ''
  const reason = typeof detail.reason === 'string' ? `: ${detail.reason}` : ''
  return `${RUN_TRIGGERS[type] ?? type}${type === 'manual' ? actor : ''}${reason}`
}

/** Marks of outcomes and states of runs, and of states of deliveries. */
export const MARKS: Readonly<Record<string, State>> = {
  success: 'success',
  warning: 'warning',
  error: 'failed',
  skipped: 'skipped',
  cancelled: 'aborted',
  queued: 'queued',
  running: 'running',
  delivering: 'running',
  planned: 'planned',
  sending: 'running',
  retry: 'late',
  sent: 'success',
  failed: 'failed',
  unknown: 'unknown',
}
