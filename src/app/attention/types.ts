/** An item of the attention list: something that is wrong now, or was and is well again. */

import type { AttentionItem, AttentionKind } from '../../tasks/overview/contract.ts'

/** Scope that shows items of a kind. */
export const SCOPES: Readonly<Record<AttentionKind, string>> = {
  taskFailed: 'task:read',
  neverStarted: 'task:read',
  stuck: 'task:read',
  late: 'task:read',
  overdue: 'task:read',
  overUsual: 'task:read',
  deadDeliveries: 'event:read',
  destinationDown: 'event:read',
  self: 'event:read',
  service: 'event:read',
  licence: 'event:read',
  reportFailed: 'report:read',
  reportHeld: 'report:read',
  scheduleInvalid: 'schedule:read',
  dropped: 'event:read',
}

/** An item as it is found, cheaply. Times in milliseconds since 1970. */
export interface Item {
  /** `taskFailed:<task id>`; unique, and the same as long as the item is open. */
  readonly key: string
  readonly kind: AttentionKind
  readonly severity: AttentionItem['severity']
  readonly since: number
  readonly title: string
  readonly cause: string | null
  readonly task: { readonly taskId: string; readonly taskName: string } | null
  readonly eventId: string | null
  readonly executionId: string | null
  readonly count: number
  /** How the last run of the task ended, of `taskFailed`. */
  readonly outcome: 'failed' | 'aborted' | null
  /** Key of the item whose failure explains this one. */
  readonly parent: string | null
  readonly dueAt: number | null
  readonly recovered: Recovery | null
}

export interface Recovery {
  readonly at: number
  /** `start`: a caller of Footman has started it; `itself`: anything else than a retry and that. */
  readonly how: 'itself' | 'retry' | 'start'
  /** The caller; null where there is none. */
  readonly by: string | null
}

/** Facts that are read for the items that are shown. */
export interface ItemDetails {
  readonly alerted: readonly { readonly destination: string; readonly target: string; readonly at: number }[]
  readonly heldBack: readonly { readonly reason: string; readonly count: number; readonly snoozeId: string | null }[]
  /** Alerts about the task are held back now, and why. */
  readonly quiet: {
    readonly reason: 'SNOOZED' | 'MAINTENANCE'
    readonly detail: string
    /** End of the snooze; null of maintenance. */
    readonly until: number | null
    /** The snooze ends before, when the task succeeds. */
    readonly untilSuccess: boolean
  } | null
  readonly behind: readonly { readonly taskId: string; readonly taskName: string }[]
  readonly runningAgain: {
    readonly executionId: string | null
    readonly state: 'queued' | 'running'
    readonly startedAt: number
    readonly expectedEnd: number
    readonly over: boolean
    readonly overByMs: number
  } | null
  readonly retry: { readonly attempt: number; readonly max: number; readonly at: number } | null
  readonly usualMs: number | null
}

export interface Taken {
  readonly by: string
  readonly at: number
  readonly note: string
}

export interface FoundItem extends Item, ItemDetails {
  readonly taken: Taken | null
}

export interface AttentionList {
  /** The open items, sorted; `refresh`: Qlik Sense is asked first. */
  open(): Promise<readonly FoundItem[]>
  /** Tasks that failed since then and are well again, the last first. */
  recovered(from: number): Promise<readonly FoundItem[]>
  /** Open items of the kinds that belong to no other one of these; at most a few seconds old. */
  count(isSeen: (kind: AttentionKind) => boolean): number
  /** Null when there is no such open item. */
  take(key: string, by: string, note: string): Promise<FoundItem | null>
  /** False when nothing was taken. */
  giveBack(key: string): Promise<boolean>
}

export interface AttentionChange {
  readonly key: string
  readonly kind: AttentionKind
  readonly open: boolean
}

/** The entries of the list: an item that belongs to another one stands below that. */
export const entriesOf = <T extends Pick<Item, 'key' | 'parent'>>(items: readonly T[]): T[] => {
  const keys = new Set(items.map(({ key }) => key))
  return items.filter(({ parent }) => parent === null || !keys.has(parent))
}

const NOTHING = {
  cause: null,
  task: null,
  eventId: null,
  executionId: null,
  count: 1,
  outcome: null,
  parent: null,
  dueAt: null,
  recovered: null,
} as const

/** An item with the members that it does not have left empty. */
export const itemOf = (given: Pick<Item, 'key' | 'kind' | 'severity' | 'since' | 'title'> & Partial<Item>): Item => ({
  ...NOTHING,
  ...given,
})
