/** What Footman says about itself. */

export const SELF_CODES = [
  'BACKLOG_GROWING',
  'BACKLOG_FULL',
  'TASKS_UNVERIFIED',
  'DEAD_LETTERS',
  'QRS_DOWN',
  'DESTINATION_DOWN',
  'UDP_NOT_LISTENING',
  'MQTT_DISCONNECTED',
  'EVENTS_LOST',
  'DISK_LOW',
  'STORAGE_TROUBLE',
  'DESCRIPTORS_LOW',
  'CERTIFICATE_EXPIRING',
  'CERTIFICATE_INVALID',
  'CALENDAR_UNREADABLE',
  'CONFIG_INVALID',
] as const
export type SelfCode = (typeof SELF_CODES)[number]

/**
 * One thing that a condition has looked at, like one destination of several; `subject` is empty where there is only one.
 * What a look does not mention is not known (yet) and stays as it was. `gone` = it is not in the configuration any more.
 */
export type Finding =
  | { readonly subject: string; readonly state: 'bad'; readonly text: string }
  | { readonly subject: string; readonly state: 'good' | 'gone' }

export interface Condition {
  readonly code: SelfCode
  /** What is wrong goes on for so long after it was seen the last time, in milliseconds; default 0. */
  readonly lastsMs?: number
  /** What holds now; `raised` are the subjects about which was told. Called every few seconds, so it must be cheap. */
  look(now: number, raised: readonly string[]): readonly Finding[] | Promise<readonly Finding[]>
}
