/** The states of a guarded database and the events that lead from one to another. Nothing here touches a file. */
import { backoffDelay } from '../backoff.ts'
import type { Trouble } from './texts.ts'

export interface Outage {
  readonly trouble: Trouble
  /** Milliseconds since 1970; an outage may pass through several kinds of trouble. */
  readonly since: number
  readonly reason: string
}

interface Down {
  readonly outage: Outage
  /** Looks at the file since this kind of trouble began. */
  readonly looks: number
}

export type State =
  /** The file stands at its path and can be used. */
  | { readonly name: 'up' }
  /** It stands there and cannot be written, or is damaged and could not be replaced yet. */
  | (Down & { readonly name: 'unwritable' | 'damaged' })
  /** Nothing stands at the path. */
  | (Down & { readonly name: 'missing'; readonly emptySince: number })
  /** Another file stands there; `version` changes while something writes to it. */
  | (Down & { readonly name: 'foreign'; readonly version: string })

export interface Failure {
  readonly trouble: Trouble
  readonly reason: string
  /** The error only says that a connection was closed before, which explains nothing while an outage goes on. */
  readonly isConsequence: boolean
}

/** What a look at the path finds in place of the file; `gone` describes that. */
interface Loss {
  readonly gone: Failure
}

interface Events {
  /** A look at the file begins. */
  look: object
  /** The database could not be used. */
  failed: Failure
  /** Nothing stands at the path. */
  nothing: Loss
  /** Another file stands at the path. */
  other: Loss & { readonly version: string }
  /** The database can be used again. */
  recovered: object
}

type Transitions = { readonly [E in keyof Events]: (state: State, event: Events[E], now: number) => State }

const TRANSITIONS: Transitions = {
  look: (state) => (state.name === 'up' ? state : { ...state, looks: state.looks + 1 }),
  failed(state, failure, now) {
    if (failure.isConsequence && state.name !== 'up') return state
    const down = worse(state, failure, now)
    // A failure changes nothing about what stands at the path.
    if (state.name === 'missing' || state.name === 'foreign') return { ...state, ...down }
    return { ...down, name: down.outage.trouble === 'damaged' ? 'damaged' : 'unwritable' }
  },
  nothing(state, { gone }, now) {
    if (state.name === 'missing') return state
    const down = state.name === 'foreign' && state.outage.trouble !== 'newer' ? downOf(state) : worse(state, gone, now)
    return { ...down, name: 'missing', emptySince: now }
  },
  other(state, { gone, version }, now) {
    const isKnown = state.name === 'missing' || state.name === 'foreign'
    const down = isKnown ? downOf(state) : worse(state, gone, now)
    return { ...down, name: 'foreign', version }
  },
  recovered: () => ({ name: 'up' }),
}

/** The state after an event; the same object when nothing has changed. `now`: milliseconds since 1970. */
export function after<E extends keyof Events>(state: State, type: E, event: Events[E], now: number): State {
  return TRANSITIONS[type](state, event, now)
}

const downOf = ({ outage, looks }: Down): Down => ({ outage, looks })

/** The same trouble goes on; another kind takes its place within the same outage. */
function worse(state: State, { trouble, reason }: Failure, now: number): Down {
  if (state.name === 'up') return { outage: { trouble, reason, since: now }, looks: 0 }
  if (state.outage.trouble === trouble) return downOf(state)
  return { outage: { trouble, reason, since: state.outage.since }, looks: 0 }
}

export const outageOf = (state: State): Outage | null => (state.name === 'up' ? null : state.outage)

const RETRY = { firstMs: 1000, maxMs: 10_000, jitter: 0 }

/** Milliseconds until the next look at the file. */
export function delayOf(state: State, everyMs: number): number {
  if (state.name === 'up') return everyMs
  const ms = Math.min(backoffDelay(state.looks + 1, RETRY), Math.max(everyMs, RETRY.firstMs) * 5)
  return state.outage.trouble === 'gone' ? Math.min(everyMs, ms) : ms
}
