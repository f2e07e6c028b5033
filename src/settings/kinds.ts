/** The kinds of settings that people change while Footman runs, and where each stands in the configuration. */
import type { Path } from '../config/tree.ts'

interface Kind {
  /** The section below `Butler` that its entries join; '' = the name of an entry is the key itself. */
  readonly at: string
  /** `map`: by name. `list`: in an order, with the name as a member. `key`: one value. */
  readonly form: 'map' | 'list' | 'key'
  /** The member of an item of a list that has its name. */
  readonly nameIn?: string
  /** The scope that a caller needs beside those of all settings. */
  readonly scope?: 'admin'
  /** The scope that a change needs besides, as tasks are started by it. */
  readonly changes?: string
}

export const KINDS = {
  destination: { at: 'footman.destinations', form: 'map' },
  rule: { at: 'footman.alertRoutes', form: 'list' },
  calendar: { at: 'footman.calendars', form: 'map' },
  window: { at: 'footman.windows', form: 'map' },
  maintenance: { at: 'footman.maintenance', form: 'list' },
  policy: { at: 'footman.taskPolicies', form: 'list', changes: 'task:run' },
  access: { at: 'footman.access.keys', form: 'list', nameIn: 'id', scope: 'admin' },
  switch: { at: '', form: 'key' },
} as const satisfies Readonly<Record<string, Kind>>

export type SettingKind = keyof typeof KINDS
export const SETTING_KINDS = Object.keys(KINDS) as SettingKind[]

/** Without the literal types of the table. */
export const kindOf = (kind: SettingKind): Kind => KINDS[kind]

/**
 * Single keys that may be set: each changes what Footman does, none what the machine allows (where data lie, what listens where,
 * approved directories, TLS, start filters, the cluster).
 */
export const SWITCHES = [
  'footman.reportTask.enable',
  'scheduler.enable',
  'restServerEndpointsEnable.keyValueStore',
  'restServerEndpointsEnable.scheduler.createNewSchedule',
  'restServerEndpointsEnable.scheduler.getSchedule',
  'restServerEndpointsEnable.scheduler.getScheduleStatusAll',
  'restServerEndpointsEnable.scheduler.updateSchedule',
  'restServerEndpointsEnable.scheduler.deleteSchedule',
  'restServerEndpointsEnable.scheduler.startSchedule',
  'restServerEndpointsEnable.scheduler.stopSchedule',
  'emailNotification.smtp',
  'footman.timezone',
  'footman.console.publicUrl',
  'footman.selfAlerts.enable',
  'footman.selfAlerts.to',
  'footman.butlerRoutes.recovery',
] as const

/** The scopes that a change of a switch needs besides. */
const SWITCH_SCOPES: Readonly<Record<string, string>> = {
  'scheduler.enable': 'schedule:run',
  'footman.reportTask.enable': 'report:run',
  // All mails go through it, those with reports too.
  'emailNotification.smtp': 'admin',
}

/** The scopes that a change to this value needs besides those of all settings: of what it sets in motion, or stops. */
export function scopesOfChange(kind: SettingKind, name: string, value: unknown): readonly string[] {
  const { scope, changes } = kindOf(kind)
  const stops = kind === 'maintenance' && (value as { readonly stopSchedules?: unknown } | null)?.stopSchedules === true
  return [scope, changes, SWITCH_SCOPES[kind === 'switch' ? name : ''], stops ? 'schedule:run' : undefined].filter(
    (one) => one !== undefined,
  )
}

/** Steps to an entry below `Butler`; of a list, those to the list. */
export function placeOfEntry(kind: SettingKind, name: string): readonly string[] {
  const { at, form } = kindOf(kind)
  if (form === 'key') return name.split('.')
  return form === 'map' ? [...at.split('.'), name] : at.split('.')
}

/** The place of an entry, as problems have it where others name a file. */
export const placeName = (kind: SettingKind, name: string): string => `settings:${kind}/${name}`

/** The entry that a place names; null for a place of a file. */
export function entryAt(file: string): { readonly kind: SettingKind; readonly name: string } | null {
  const found = /^settings:([a-z]+)\/(.+)$/s.exec(file)
  return found && found[1]! in KINDS ? { kind: found[1] as SettingKind, name: found[2]! } : null
}

/** The steps of a JSON pointer; indexes of lists are numbers. */
export const stepsOfPointer = (pointer: string): Path =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')))

/** JSON pointer of a path in the value of an entry. */
export const pointerOf = (path: Path): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
