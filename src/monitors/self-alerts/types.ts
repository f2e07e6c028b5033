/** Conditions of Footman's alerts about itself. */

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
  'SETTING_UNUSABLE',
  'CLUSTER_DATABASE_DOWN',
  'CLUSTER_NODE_LOST',
  'CLUSTER_NODE_UNFIT',
  'CLUSTER_NO_LEADER',
  'CLUSTER_FLAPPING',
  'CLUSTER_CLOCK',
  'CLUSTER_REWOUND',
  'SCHEDULE_CONFLICT',
] as const
export type SelfCode = (typeof SELF_CODES)[number]

/**
 * One subject that a condition has checked, like one destination of several; `subject` is empty where there is only one.
 * A subject that a check does not mention is unknown and keeps its state. `gone` = it is no longer in the configuration.
 */
export type Finding =
  | { readonly subject: string; readonly state: 'bad'; readonly text: string }
  | { readonly subject: string; readonly state: 'good' | 'gone' }

export interface Condition {
  readonly code: SelfCode
  /** A problem ends so long after it was found the last time, in milliseconds; default 0. */
  readonly lastsMs?: number
  /** The findings now; `raised` = subjects of the alert that stands. Called every few seconds, so it must be cheap. */
  look(now: number, raised: readonly string[]): readonly Finding[] | Promise<readonly Finding[]>
}
