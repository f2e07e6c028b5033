/** Kinds of settings in words, and the pages that list them. */
import type { SettingKind } from '../settings/kinds.ts'
import type { Place } from './page.ts'

interface KindWords {
  readonly many: string
  readonly one: string
  readonly place: Place
  /** The page that lists them, below the console. */
  readonly list: string
}

export const FEATURES_PATH = '/system/features'

export const KIND_WORDS: Readonly<Record<SettingKind, KindWords>> = {
  destination: { many: 'Destinations', one: 'destination', place: 'delivery', list: '/destinations' },
  rule: { many: 'Rules', one: 'rule', place: 'delivery', list: '/system/routes' },
  calendar: { many: 'Calendars', one: 'calendar', place: 'schedules', list: '/schedules/calendars' },
  window: { many: 'Windows', one: 'window', place: 'schedules', list: '/schedules/calendars' },
  maintenance: {
    many: 'Recurring maintenance',
    one: 'recurring maintenance',
    place: 'system',
    list: '/system/maintenance',
  },
  policy: { many: 'Task policies', one: 'task policy', place: 'tasks', list: '/tasks/policies' },
  access: { many: 'Keys', one: 'key', place: 'system', list: '/system/keys' },
  switch: { many: 'Features', one: 'feature', place: 'system', list: FEATURES_PATH },
}

/** Where the type of a new destination is chosen. */
export const NEW_DESTINATION = '/delivery/destinations/new'
export const SETTINGS_PATH = '/system/settings'
export const EDITOR_PATH = '/system/settings/edit'
