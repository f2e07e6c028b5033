/**
 * The life of an event in memory, as a function of what it has seen: QRS is asked about it round by round, until everything is
 * known or its deadline is over, and its end is written. Reads no clock and does nothing; `enricher.ts` carries out the effects.
 */
import type { StoredEvent } from '../store.ts'
import type { Progress } from './facts.ts'

/** Why an event is recorded and not alerted. */
export type IgnoredProgress = Exclude<Progress, 'complete' | 'waiting'>

/** All times are milliseconds since 1970. */
export interface State {
  readonly is: /** It is asked about as soon as there is room. */
    | 'ready'
    /** A round of questions about it is under way. */
    | 'asked'
    /** QRS did not have everything; the next round comes after a while. */
    | 'waiting'
    /** Its end, or that it waits on disk, is being written. */
    | 'ending'
    /** That could not be written; it is read from disk again after a while. */
    | 'stuck'
    /** It has left memory, or Footman stops. */
    | 'over'
  readonly event: Pick<StoredEvent, 'announced' | 'receivedAt' | 'deadlineAt'>
  /** Since when QRS is being asked, for the growing distance between rounds. */
  readonly since: number
  /** When the event goes out with what is known. */
  readonly deadline: number
  readonly hasComplained: boolean
}

export type Seen =
  | { readonly is: 'round' }
  /** The round about it is over, and it is its turn to be settled. */
  | { readonly is: 'answered'; readonly progress: Progress }
  | { readonly is: 'failed'; readonly reason: string; readonly isUnreachable: boolean }
  /** The time of the last effect `wait` is over. */
  | { readonly is: 'waited' }
  | { readonly is: 'expired' }
  | { readonly is: 'stored' | 'not stored' }
  | { readonly is: 'stopping' }

export type Effect =
  /** It joins those that are ready. */
  | { readonly do: 'queue' }
  /** Rounds are begun for those that are ready. */
  | { readonly do: 'begin' }
  | { readonly do: 'expire' | 'wait'; readonly ms: number }
  /** Nothing more is asked about it, and it is written: complete or with what is known, as ignored, or to wait on disk. */
  | { readonly do: 'finish'; readonly isLate: boolean }
  | { readonly do: 'ignore'; readonly why: IgnoredProgress }
  | { readonly do: 'park'; readonly until: number }
  /** Nothing more is asked about it. */
  | { readonly do: 'release' }
  /** Events that wait for its decision about a script log need not. */
  | { readonly do: 'yield' }
  | { readonly do: 'close gate'; readonly reason: string }
  | { readonly do: 'complain'; readonly reason: string; readonly level: 'warn' | 'verbose' }
  /** It leaves memory. */
  | { readonly do: 'leave' }
  /** The disk has more than when it was last looked at. */
  | { readonly do: 'read again' }

export interface Turn {
  readonly state: State
  /** To be done in this order. */
  readonly effects: readonly Effect[]
}

export interface Facts {
  readonly now: number
  /** There is no room in memory for another event. */
  readonly isCrowded: boolean
}

export interface Rules {
  readonly qrsEnabled: boolean
  readonly distributePollMs: number
}

/** Whether QRS answers. */
export interface Contact {
  readonly startedAt: number
  /** The newest answer, or the start. */
  readonly answeredAt: number
  /** QRS is not known to be away. */
  readonly isOpen: boolean
}

/** An event that was late when Footman started still gets this long, as long as QRS answers. */
const LATE_GRACE_MS = 10_000
/** A wait at least this long is spent on disk and not in memory. */
const PARK_MS = 4000
/** An event whose end cannot be stored, for a reason that does not pass, is tried anew after this time. */
const FAULT_RETRY_MS = 60_000

const turn = (state: State, ...effects: readonly Effect[]): Turn => ({ state, effects })

/** Events whose deadline lies at this time or before it wait for their turn, although they are late. */
export function patientUntil(contact: Contact, now: number): number {
  return isAlive(contact, now) ? contact.startedAt : 0
}

/** The event comes from disk into memory. */
export function taken(event: State['event'], contact: Contact, now: number, rules: Rules): Turn {
  const wasLate = event.deadlineAt <= contact.startedAt
  const deadline = deadlineOf(event, contact, now, rules)
  const since = wasLate ? now : event.receivedAt
  const state: State = { is: 'ready', event, since, deadline, hasComplained: false }
  if (deadline <= now) return finish(state, now, rules)
  return turn(state, { do: 'expire', ms: deadline - now }, { do: 'queue' })
}

/** The state after something was seen, and what is to be done. */
export function next(state: State, seen: Seen, facts: Facts, rules: Rules): Turn {
  const { is } = state
  switch (seen.is) {
    case 'round':
      return turn(is === 'ready' ? { ...state, is: 'asked' } : state)
    case 'answered':
      return is === 'asked' ? onAnswer(state, seen.progress, facts, rules) : turn(state)
    case 'failed':
      return onFailure(state, seen, facts, rules)
    case 'waited':
      if (is === 'waiting') return turn({ ...state, is: 'ready' }, { do: 'queue' }, { do: 'begin' })
      return is === 'stuck' ? turn({ ...state, is: 'over' }, { do: 'read again' }, { do: 'leave' }) : turn(state)
    case 'expired':
      return isOpen(state) ? finish(state, facts.now, rules) : turn(state)
    case 'stored':
      return turn({ ...state, is: 'over' }, { do: 'leave' })
    case 'not stored':
      return is === 'ending' ? turn({ ...state, is: 'stuck' }, { do: 'wait', ms: FAULT_RETRY_MS }) : turn(state)
    case 'stopping':
      return turn({ ...state, is: 'over' }, { do: 'release' })
  }
}

/** QRS is still being asked about it. */
export const isOpen = ({ is }: State): boolean => is === 'ready' || is === 'asked' || is === 'waiting'

function isAlive({ isOpen, answeredAt }: Contact, now: number): boolean {
  return isOpen && now - answeredAt <= LATE_GRACE_MS
}

function deadlineOf({ deadlineAt, receivedAt }: State['event'], contact: Contact, now: number, rules: Rules): number {
  if (!rules.qrsEnabled) return now
  if (deadlineAt > contact.startedAt) return deadlineAt
  // It is late and QRS is silent: a longer wait would not help.
  return isAlive(contact, now) ? now + Math.min(LATE_GRACE_MS, deadlineAt - receivedAt) : now
}

function onAnswer(state: State, progress: Progress, facts: Facts, rules: Rules): Turn {
  if (progress === 'complete') return finish(state, facts.now, rules)
  return progress === 'waiting' ? wait(state, facts, rules, { do: 'yield' }) : ignore(state, progress)
}

function onFailure(state: State, seen: Extract<Seen, { is: 'failed' }>, facts: Facts, rules: Rules): Turn {
  const { reason, isUnreachable } = seen
  if (state.is !== 'asked') return turn(state, { do: 'yield' })
  if (isUnreachable) {
    return turn({ ...state, is: 'ready' }, { do: 'yield' }, { do: 'close gate', reason }, { do: 'queue' })
  }
  const level = state.hasComplained ? 'verbose' : 'warn'
  return wait({ ...state, hasComplained: true }, facts, rules, { do: 'yield' }, { do: 'complain', reason, level })
}

/** Until the next round, which may lie behind the deadline; `before` is done first. */
function wait(state: State, { now, isCrowded }: Facts, rules: Rules, ...before: readonly Effect[]): Turn {
  const { event, since, deadline } = state
  const ms = event.announced === 'distribute' ? rules.distributePollMs : waitDelay(now - since)
  const isParked = (isCrowded || ms >= PARK_MS) && deadline - now > ms
  if (isParked) return turn({ ...state, is: 'ending' }, ...before, { do: 'park', until: now + ms })
  return turn({ ...state, is: 'waiting' }, ...before, { do: 'wait', ms })
}

/** Half a second at first, 15 % of the time waited so far later, at most 30 s: news is found soon, QRS is spared. */
function waitDelay(elapsedMs: number): number {
  return Math.min(Math.max(500, elapsedMs * 0.15), 30_000)
}

function finish(state: State, now: number, { qrsEnabled }: Rules): Turn {
  if (!qrsEnabled && state.event.announced === 'distribute') return ignore(state, 'endUnknowable')
  return turn({ ...state, is: 'ending' }, { do: 'finish', isLate: qrsEnabled && now >= state.event.deadlineAt })
}

function ignore(state: State, why: IgnoredProgress): Turn {
  return turn({ ...state, is: 'ending' }, { do: 'ignore', why })
}
