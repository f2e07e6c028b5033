/** Triggers of report tasks and runs in words. */
import type { DefinitionOf } from '../../../reports/entities/contract.ts'
import type { RunTrigger } from '../../../reports/runs/contract.ts'
import type { State } from '../../ui/marks.tsx'

export type Trigger = DefinitionOf<'task'>['triggers'][number]
type TriggerOf<Type extends Trigger['type']> = Extract<Trigger, { readonly type: Type }>

const WEEKDAYS = ['Sundays', 'Mondays', 'Tuesdays', 'Wednesdays', 'Thursdays', 'Fridays', 'Saturdays', 'Sundays']
const EVENTS: Readonly<Record<TriggerOf<'qlikEvent'>['event'], string>> = {
  taskSucceeded: 'a Qlik task succeeded',
  taskFailed: 'a Qlik task failed',
  taskAborted: 'a Qlik task was aborted',
  appReloaded: 'an app was reloaded',
}

function wordsOf(trigger: Trigger): string {
  switch (trigger.type) {
    case 'schedule': {
      const { cron = '', once, timezone } = trigger
      return `${once ? `once at ${once}` : cronText(cron)}${timezone ? ` (${timezone})` : ''}`
    }
    case 'qlikEvent': {
      const { event, match, mode } = trigger
      const { taskId, tag, appId } = match
      const count = taskId.length + tag.length + appId.length
      const which = tag.length > 0 ? ` tagged ${tag.join(', ')}` : count > 1 ? `, ${count} of them` : ''
      return `after ${EVENTS[event]}${which}${mode === 'all' ? ', when all have' : ''}`
    }
    case 'reportTask':
      return `after another report task (${trigger.on.join(', ')})`
    case 'mqtt':
      return `on the MQTT topic ${trigger.topic}`
    case 'keyValue':
      return `when the pair ${trigger.namespace}/${trigger.key} is set`
  }
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

export const triggerText = (trigger: Trigger): string => `${wordsOf(trigger)}${trigger.enabled ? '' : ' (off)'}`

const RUN_TRIGGERS: Readonly<Record<RunTrigger['type'], string>> = {
  manual: 'started by a call',
  schedule: 'by its schedule',
  qlikEvent: 'by an event of Qlik Sense',
  reportTask: 'after another report task',
  mqtt: 'by an MQTT message',
  keyValue: 'by a key-value pair',
  resend: 'sends deliveries again',
}

/** `started by a call of key:ops: asked by finance`. */
export function runTriggerText({ type, detail: { actor, reason } }: RunTrigger): string {
  const who = type === 'manual' && actor !== undefined ? ` of ${actor}` : ''
  return `${RUN_TRIGGERS[type]}${who}${reason === undefined ? '' : `: ${reason}`}`
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
