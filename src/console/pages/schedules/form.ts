/** The fields of the editor: from a schedule to texts, and back to the members of the API. */
import { parseOutsideJson } from '../../../platform/json.ts'
import { once } from '../../../platform/once.ts'
import { CREATE_SCHEDULE, type ShownSchedule, type StoredSchedule } from '../../../tasks/schedule/contract.ts'
import type { Fields } from '../../forms.tsx'
import { givenMembers, type Members, shownText } from '../../schema-form/fields.ts'
import { formOf } from '../../schema-form/of-schema.ts'

/** The fields that the schema makes; times, tasks and state have controls of their own. */
export const schemaFields = once(() => formOf(CREATE_SCHEDULE.body()).fields)

/** A schedule written by hand may have none. */
export const nameOf = ({ id, name }: StoredSchedule): string => name ?? id

/** Days of the simple form, with their field of a cron expression; `hour` is at that minute of each hour. */
export const DAYS = [
  ['day', 'day', '*'],
  ['working', 'working day', '1-5'],
  ['weekend', 'Saturday and Sunday', '0,6'],
  ...['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'].map(
    (name, n) => [name.toLowerCase(), name, String(n + 1)] as const,
  ),
  ['sunday', 'Sunday', '0'],
  ['month', 'first day of the month', ''],
  ['hour', 'hour, at minute', ''],
] as const

const SIMPLE = /^(?<minute>\d{1,2}) (?<hour>\d{1,2}|\*) (?<date>\*|1) \* (?<days>\*|[\d,-]+)$/

/** The simple form of an expression; null when it has none. */
export function simpleOf(cron: string): { readonly every: string; readonly at: string } | null {
  const { minute, hour, date, days } = SIMPLE.exec(cron.trim())?.groups ?? {}
  if (!minute || !hour) return null
  const at = `${(hour === '*' ? '0' : hour).padStart(2, '0')}:${minute.padStart(2, '0')}`
  if (hour === '*') return date === '*' && days === '*' ? { every: 'hour', at } : null
  if (date === '1') return days === '*' ? { every: 'month', at } : null
  const every = DAYS.find(([, , field]) => field !== '' && field === days)
  return every ? { every: every[0], at } : null
}

/** The expression of the simple form; an impossible time stays in it, so that the API refuses it with its place. */
export function cronOf(every: string, at: string): string {
  const [hour = '', minute = ''] = at.split(':').map((part) => part.replace(/^0(?=\d)/, ''))
  if (every === 'hour') return `${minute} * * * *`
  if (every === 'month') return `${minute} ${hour} 1 * *`
  const days = DAYS.find(([name]) => name === every)?.[2] ?? '*'
  return `${minute} ${hour} * * ${days}`
}

const list = (value: unknown): string => [value ?? []].flat().join(', ')
const isNames = (value: unknown): boolean => [value ?? []].flat().every((one) => typeof one === 'string')
/** Empty for what is none. */
export const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

/** The texts of the fields for a schedule. */
export function fieldsOfSchedule(schedule: ShownSchedule): Record<string, string> {
  const { target, cronSchedule = '' } = schedule
  const action = objectOf(schedule.action)
  const simple = simpleOf(cronSchedule)
  const texts = schemaFields().map((field) => [field.at, shownText(field, schedule[field.at])])
  return {
    ...Object.fromEntries(texts),
    id: schedule.id,
    revision: schedule.revision,
    kind: simple ? 'simple' : 'cron',
    every: simple?.every ?? 'day',
    at: simple?.at ?? '06:00',
    cron: cronSchedule,
    state: schedule.startupState?.startsWith('start') ? 'started' : 'stopped',
    task: schedule.qlikSenseTaskId ?? '',
    startTags: list(objectOf(target).tag),
    // A list is the older form of a selection, which this page does not change.
    target: target === undefined ? '' : JSON.stringify(target),
    action: typeof action.type === 'string' ? action.type : 'startTask',
    actionName: String(action.destination ?? action.folder ?? ''),
    actionRest: schedule.action ? JSON.stringify(action) : '',
    ...(!isNames(schedule.window) && { window: '', windowKept: JSON.stringify(schedule.window) }),
  }
}

export const newFields = (timezone: string): Record<string, string> => ({
  kind: 'simple',
  every: 'working',
  at: '06:00',
  timezone,
  state: 'started',
  action: 'startTask',
})

/** The members of the fields that the schema makes. */
export const schemaMembers = ({ get }: Pick<Fields, 'get'>): Members =>
  givenMembers(schemaFields(), new URLSearchParams(schemaFields().map(({ at }) => [at, get(at).trim()])))

const names = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

const parsed = (text: string): unknown => {
  try {
    return parseOutsideJson(text)
  } catch {
    return undefined
  }
}

/** Members of a schedule as the fields have them; null takes a member away. */
export function membersOf(fields: Pick<Fields, 'get'>): Record<string, unknown> {
  const get = (name: string) => fields.get(name).trim()
  const given = schemaMembers(fields)
  const own = schemaFields().flatMap(({ at }) =>
    at === 'window' && get('windowKept') ? [] : [[at, given[at] ?? null]],
  )
  return {
    ...Object.fromEntries(own),
    cronSchedule: get('kind') === 'cron' ? get('cron') : cronOf(get('every'), get('at')),
    qlikSenseTaskId: get('task'),
    startupState: get('state') === 'stopped' ? 'stopped' : 'started',
    ...targetOf(get('target'), names(fields.get('startTags'))),
    ...actionOf(get('action'), get('actionName'), get('actionRest')),
  }
}

function targetOf(text: string, tags: readonly string[]): Record<string, unknown> {
  const before = parsed(text)
  if (Array.isArray(before)) return {}
  const { tag: _, ...rest } = objectOf(before)
  const isNone = tags.length === 0 && Object.keys(rest).length === 0
  return { target: isNone ? null : { ...rest, ...(tags.length > 0 && { tag: tags }) } }
}

function actionOf(type: string, name: string, before: string): Record<string, unknown> {
  if (type === '' || type === 'startTask') return { action: null }
  const known = objectOf(parsed(before))
  const kept = known.type === type ? known : {}
  return { action: { ...kept, type, ...(type === 'webhook' ? { destination: name } : { folder: name }) } }
}

/** The body of a new schedule: members without a value are left out. */
export const newMembers = (fields: Pick<Fields, 'get'>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(membersOf(fields)).filter(([, value]) => value !== null))

/** The members that decide about the times. */
export function previewBody(fields: Pick<Fields, 'get'>) {
  const { cronSchedule, timezone, notOn, onlyOn, shift, window = parsed(fields.get('windowKept')) } = membersOf(fields)
  const given = Object.entries({ notOn, onlyOn, window, shift }).filter(([, value]) => value != null)
  return { cronSchedule, timezone, count: 10, ...Object.fromEntries(given) }
}
