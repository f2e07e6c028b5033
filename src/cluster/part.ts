/**
 * A node's part in its cluster, as a function of what it has seen: it looks for the leader, becomes it, stops being it, and
 * works alone while the database is away. Reads no clock and does nothing; `index.ts` asks the database, and carries out the
 * effects.
 */
import { type Fitness, type Step, stepOf } from './fitness.ts'
import type { Forgotten } from './return.ts'
import type { NodeMode } from './types.ts'

export type Part = 'follower' | 'leader' | 'alone'

/** Why the app is built anew; ends a sentence. `graceMs`: messages on their way may end before. */
interface Build {
  readonly because: string
  readonly graceMs?: number
}

/** All times are milliseconds of a clock that never jumps, where nothing else is said; null = it is not so. */
export interface State {
  readonly part: Part
  readonly mode: NodeMode
  /** The app has to be built anew as soon as the disk can be written. */
  readonly owed: Build | null
  /** It is being built anew: what the app before it has followed does not count. */
  readonly isBuilding: boolean
  /** It leads until its app has stopped. */
  readonly isHandingOver: boolean
  readonly isStopping: boolean
  /** Followed to the newest row at least once since the process started. */
  readonly hasJoined: boolean
  /** The database cannot be used since `answeredAt`; `refusedSince`: it answers, and does not let this node in. */
  readonly outage: { readonly reason: string; readonly refusedSince: number | null } | null
  /** The newest answer of the database, or when the process went on after a halt. */
  readonly answeredAt: number
  /** The process certainly ran. */
  readonly aliveAt: number
  /** Since when the lead is free; null = a node has it, or the database does not say. */
  readonly freeSince: number | null
  /** The last leader may return before. */
  readonly reservedUntil: number
  /** Another node is to lead until then, or until one does. */
  readonly steppedDownUntil: number
  /** Why this node works alone: the database is away for all, or lets this one not in. */
  readonly aloneBecause: 'away' | 'refused' | 'refused for long'
  readonly wasLastLeader: boolean
  /** The last leader goes on with its duties without the database. */
  readonly keepsDuties: boolean
  /** The database was found to be in an earlier state, and this node adds what it has shipped since. */
  readonly forgotten: Forgotten | null
  /** The database answered again after an outage, or was found to be put back; `databaseMs` by the clock of the cluster. */
  readonly back: { readonly at: number; readonly databaseMs: number } | null
  /** The state of the database that this node knows. */
  readonly timeline: number | null
  readonly history: string | null
  /** Why it last did not take a free lead; '' = it was fit. */
  readonly unfitBecause: string
}

/** The state of the database, which comes with each answer. */
interface Found {
  readonly head: number
  readonly history: string
  readonly timeline: number | null
  /** The newest revision that certainly was in the database. */
  readonly knownRev: number
}

export type Seen =
  /** The process runs. */
  | { readonly is: 'alive' }
  /** The database is about to be asked. */
  | { readonly is: 'looking'; readonly fitness: Fitness }
  /** `leads`: this node by the database. `isCaughtUp`: the app has followed to the newest row. */
  | ({ readonly is: 'lease'; readonly leads: boolean; readonly isFree: boolean; readonly isCaughtUp: boolean } & Found)
  /** `isHeld`: the lease is still that of this node. */
  | ({ readonly is: 'renewal'; readonly isHeld: boolean; readonly isCaughtUp: boolean } & Found)
  /** The disk was tried once more; `awaited`: nodes whose rows come before another node leads. */
  | { readonly is: 'tried'; readonly fitness: Fitness; readonly awaited: number }
  /** The lease was acquired, and all that the last leader has shipped is here. */
  | { readonly is: 'caught up' }
  | { readonly is: 'answered' }
  | { readonly is: 'failed'; readonly reason: string; readonly isRefused: boolean }
  /** A write was refused, as another node leads. */
  | { readonly is: 'fenced' }
  /** The rows show an earlier state of the database. */
  | { readonly is: 'forgotten'; readonly head: number; readonly isCaughtUp: boolean }
  /** An administrator wants another node to lead. */
  | { readonly is: 'step down' }
  /** After `step down`: the calls of other nodes are answered. */
  | { readonly is: 'finished' }
  /** There is an app for the part now. */
  | { readonly is: 'built' }
  | { readonly is: 'stopping' }

export type Effect =
  | { readonly do: 'say'; readonly level: 'info' | 'warn' | 'error'; readonly text: string }
  | { readonly do: 'count'; readonly what: 'fenced' | 'rewind' }
  /** Calls of other nodes that are under way are answered, and no more are taken. */
  | { readonly do: 'finish' }
  /** Callers that wait for the part that ends are answered. */
  | { readonly do: 'leave' }
  | ({ readonly do: 'build' } & Build)
  /** The lease is handed over, or forgotten without asking anyone. */
  | { readonly do: 'release' | 'drop' }
  /** A node that gave the lead away because its queue stood leaves it to others for long. */
  | { readonly do: 'rest' }
  /** The state of the database that this node knows is kept over a restart. */
  | { readonly do: 'save' }
  /** The disk and the other nodes are asked: `tried` follows. */
  | { readonly do: 'try' }
  /** The lease is taken, if it is still free: `caught up` may follow. */
  | { readonly do: 'acquire' }

export interface Facts {
  /** Time of a clock that never jumps. */
  readonly now: number
  /** By the clock of the cluster. */
  readonly databaseMs: number
  /** The data directory can be written. */
  readonly canWrite: boolean
}

export interface Rules {
  readonly candidate: boolean
  readonly leaseMs: number
  readonly aloneAfterMs: number
  /** A node that the database refuses keeps what it receives for so long, as other nodes may be let in. */
  readonly refusedAfterMs: number
  readonly whenDatabaseDown: 'alert' | 'wait'
  /** `lastLeader`: a leader goes on with schedules and retries without the database. */
  readonly dutiesWhenDatabaseDown: 'stop' | 'lastLeader'
}

export interface Turn {
  readonly state: State
  /** To be done in this order. */
  readonly effects: readonly Effect[]
}

/** A candidate looks at least once a second. */
export const LONGEST_LOOK_MS = 1000
/** A process that was halted for so long knows nothing about the database; it asks again before it draws conclusions. */
export const HALTED_MS = 2000
const STEPPED_DOWN_MS = 15_000
/** Messages on their way may end before another node leads; nothing else is done meanwhile. */
const HAND_OVER_MS = 5000
/** A database that was put back: the last leader comes first. */
const LAST_LEADER_FIRST_MS = 3000
/** Rows of so long before are read again then; all of them when a node finds it at its start. */
const REMEMBERED_MS = 3_600_000
/** Messages on their way may end when the node leaves its lonely state. */
const SENDS_END_MS = 60_000
/** After an outage candidates wait so long for the other nodes. */
const RETURN_WAIT_MS = 5000

/** At the start of the process, with what it knew of the database when it ended. */
export function initial(now: number, known: Pick<State, 'timeline' | 'history'>): State {
  return {
    part: 'follower',
    mode: 'joining',
    owed: null,
    isBuilding: false,
    isHandingOver: false,
    isStopping: false,
    hasJoined: false,
    outage: null,
    answeredAt: now,
    aliveAt: now,
    freeSince: null,
    reservedUntil: Number.NEGATIVE_INFINITY,
    steppedDownUntil: Number.NEGATIVE_INFINITY,
    aloneBecause: 'away',
    wasLastLeader: false,
    keepsDuties: false,
    forgotten: null,
    back: null,
    timeline: known.timeline,
    history: known.history,
    unfitBecause: '',
  }
}

/** The state after something was seen, and what is to be done. */
export function next(state: State, seen: Seen, facts: Facts, rules: Rules): Turn {
  switch (seen.is) {
    case 'alive':
      return aloneWhenAway(noteAlive(state, facts.now), facts, rules)
    case 'looking':
      return then(leadOrLeave(state, seen.fitness, facts), (one) => buildOwed(one, facts))
    case 'lease':
      return onLease(state, seen, facts, rules)
    case 'renewal':
      return onRenewal(state, seen, facts)
    case 'tried':
      return runForLead(state, seen, facts)
    case 'caught up':
      if (state.mode !== 'follower') return turn(state)
      return play(state, 'leader', 'leader', { because: 'it leads the cluster now' }, facts)
    case 'answered':
      return turn({ ...state, outage: null, answeredAt: facts.now })
    case 'failed':
      return onFailure(state, seen, facts, rules)
    case 'fenced':
      return onFenced(state, facts)
    case 'forgotten':
      return onForgotten(state, { ...seen, history: state.history ?? '' }, facts)
    case 'step down':
      return turn(state.part === 'leader' ? { ...state, isHandingOver: true } : state)
    case 'finished':
      if (state.part !== 'leader' || state.isStopping) return turn(state)
      return build(state, { because: 'another node is asked to lead the cluster', graceMs: HAND_OVER_MS })
    case 'built':
      return handOver({ ...state, isBuilding: false }, facts)
    case 'stopping':
      return turn({ ...state, isStopping: true, mode: 'leaving' })
  }
}

/** Nodes that reported since then (by the clock of the cluster) are waited for before this one leads; null = none are. */
export function awaitedSince({ back }: State, now: number): number | null {
  // Others may have been back a little earlier.
  return back !== null && now - back.at <= RETURN_WAIT_MS ? back.databaseMs - RETURN_WAIT_MS : null
}

function turn(state: State, ...effects: readonly Effect[]): Turn {
  return { state, effects }
}

function then({ state, effects }: Turn, following: (state: State) => Turn): Turn {
  const after = following(state)
  return { state: after.state, effects: [...effects, ...after.effects] }
}

const say = (level: 'info' | 'warn' | 'error', text: string): Effect => ({ do: 'say', level, text: `CLUSTER ${text}` })

/** The node has another part; `before` is done first. A node that stops gets none. */
function play(state: State, part: Part, mode: NodeMode, owed: Build, facts: Facts, ...before: readonly Effect[]): Turn {
  if (state.isStopping) return turn(state, ...before)
  const left = turn({ ...state, part, mode, owed }, ...before, { do: 'leave' })
  return then(left, (one) => buildOwed(one, facts))
}

/** An app that cannot write its disk could not be built, and messages that it holds in memory would be lost. */
function buildOwed(state: State, { canWrite }: Facts): Turn {
  const { owed, isStopping } = state
  return owed === null || isStopping || !canWrite ? turn(state) : build({ ...state, owed: null }, owed)
}

function build(state: State, why: Build): Turn {
  return turn({ ...state, isBuilding: true }, { do: 'build', ...why })
}

/** A leader that cannot do its work hands the lead over. */
function leadOrLeave(state: State, fitness: Fitness, facts: Facts): Turn {
  if (state.part !== 'leader' || state.isHandingOver || state.isStopping) return turn(state)
  const step = stepOf('leader', { ...fitness, freeSince: state.freeSince }, facts.now)
  return step.step === 'lead' ? turn(state) : leaveLead(state, step, facts)
}

function leaveLead(state: State, { because, isUrgent }: Extract<Step, { step: 'leave' }>, facts: Facts): Turn {
  const said = [say('error', `This node gives the lead away: ${because}`), { do: 'rest' }] as const
  const why = { because: 'another node is to lead the cluster' }
  if (isUrgent) {
    const left = { ...state, steppedDownUntil: facts.now + STEPPED_DOWN_MS }
    return play(left, 'follower', 'joining', why, facts, ...said, { do: 'release' })
  }
  const leaving = turn({ ...state, isHandingOver: true }, ...said, { do: 'finish' })
  return then(leaving, (one) => build(one, { ...why, graceMs: HAND_OVER_MS }))
}

function onLease(seenBy: State, seen: Extract<Seen, { is: 'lease' }>, facts: Facts, rules: Rules): Turn {
  const { now } = facts
  const { isFree, leads } = seen
  const [known, before] = compare(seenBy, seen)
  let state: State = { ...known, freeSince: isFree ? (known.freeSince ?? now) : null }
  if (state.outage && now - state.answeredAt > rules.leaseMs / 2) state = letLastLeaderReturn(state, now, rules)
  if (state.part === 'alone') return comeBack(state, seen.head, before, facts)
  if (before !== null) return onForgotten(state, { ...seen, history: before }, facts)
  if (!isFree && !leads) state = { ...state, steppedDownUntil: Number.NEGATIVE_INFINITY }
  const joins = state.mode === 'joining' && seen.isCaughtUp && state.owed === null && !state.isBuilding
  if (joins) state = { ...state, mode: 'follower', forgotten: null, keepsDuties: false, hasJoined: true }
  const isWaiting = now < Math.max(state.reservedUntil, state.steppedDownUntil)
  const mayLead = rules.candidate && state.mode === 'follower' && !isWaiting && (isFree || leads)
  return turn(state, ...(joins ? [{ do: 'save' } as const] : []), ...(mayLead ? [{ do: 'try' } as const] : []))
}

function onRenewal(seenBy: State, seen: Extract<Seen, { is: 'renewal' }>, facts: Facts): Turn {
  const [state, before] = compare(seenBy, seen)
  if (before !== null) return onForgotten(state, { ...seen, history: before }, facts)
  return seen.isHeld ? turn(state) : onFenced(state, facts)
}

/**
 * With the history that this node knew when the database has an earlier state: a standby that was behind leads the servers now,
 * or a backup was put back. Null otherwise.
 */
function compare(state: State, { head, history, timeline, knownRev }: Found): readonly [State, string | null] {
  const before = state.history ?? history
  const isOtherServer = timeline !== null && state.timeline !== null && timeline !== state.timeline
  const isEarlier = isOtherServer || before !== history || head < knownRev
  return [{ ...state, timeline: timeline ?? state.timeline, history }, isEarlier ? before : null]
}

/** After an outage the last leader, which asks at every renewal, goes on when it can: then nothing is sent again. */
function letLastLeaderReturn(state: State, now: number, { leaseMs }: Rules): State {
  return { ...state, reservedUntil: Math.max(state.reservedUntil, now + leaseMs / 4 + LONGEST_LOOK_MS / 2) }
}

function comeBack(state: State, head: number, before: string | null, facts: Facts): Turn {
  const noted = before === null ? turn(state) : noteForgotten(state, head, before, facts)
  const why = { because: 'the database of the cluster answers again', graceMs: SENDS_END_MS }
  const back = { at: facts.now, databaseMs: facts.databaseMs }
  return then(noted, (one) => play({ ...one, back }, 'follower', 'joining', why, facts))
}

function noteForgotten(state: State, head: number, history: string, { now, databaseMs }: Facts): Turn {
  const text = `The database was put back to an earlier state (revision ${head}); this node adds what it has shipped since`
  return turn(
    {
      ...state,
      forgotten: { since: state.hasJoined ? databaseMs - REMEMBERED_MS : null, history },
      back: { at: now, databaseMs },
      // The last leader knows best what came after, and is asked to lead again.
      reservedUntil: state.part === 'leader' ? state.reservedUntil : now + LAST_LEADER_FIRST_MS,
    },
    { do: 'count', what: 'rewind' },
    say('error', text),
  )
}

interface Earlier {
  readonly head: number
  readonly history: string
  readonly isCaughtUp: boolean
}

function onForgotten(state: State, { head, history, isCaughtUp }: Earlier, facts: Facts): Turn {
  // The build that adds what was forgotten is not through; it may find out itself that it happened once more.
  if (state.forgotten && state.mode === 'joining' && (state.isBuilding || !isCaughtUp)) return turn(state)
  const why = { because: 'the database of the cluster was put back to an earlier state' }
  const noted = noteForgotten(state, head, history, facts)
  return then(noted, (one) => play(one, 'follower', 'joining', why, facts, { do: 'drop' }))
}

/** After an outage the rows of the other nodes come first: what they have sent is known before anything is sent again. */
function runForLead(state: State, { fitness, awaited }: Extract<Seen, { is: 'tried' }>, { now }: Facts): Turn {
  if (state.mode !== 'follower') return turn(state)
  const step = stepOf('follower', { ...fitness, freeSince: state.freeSince }, now)
  const unfitBecause = step.step === 'leave' ? step.because : ''
  const isNew = unfitBecause !== '' && unfitBecause !== state.unfitBecause
  const tried = { ...state, unfitBecause }
  if (isNew) return turn(tried, say('error', `This node does not take the lead: ${unfitBecause}`))
  return step.step === 'lead' && awaited === 0 ? turn(tried, { do: 'acquire' }) : turn(tried)
}

/** The app that has led is at its end: nothing is under way that the next leader would do again. */
function handOver(built: State, { now }: Facts): Turn {
  if (!built.isHandingOver) return turn(built)
  const state = { ...built, isHandingOver: false }
  if (state.part !== 'leader' || state.isStopping) return turn(state)
  const left = { ...state, part: 'follower', mode: 'joining', steppedDownUntil: now + STEPPED_DOWN_MS } as const
  return turn(left, { do: 'release' })
}

function onFenced(state: State, facts: Facts): Turn {
  if (state.part !== 'leader') return turn(state)
  const why = { because: 'another node leads the cluster now' }
  const said = say('warn', 'Another node has taken over; this one follows')
  return play(state, 'follower', 'joining', why, facts, { do: 'drop' }, { do: 'count', what: 'fenced' }, said)
}

function onFailure(seenBy: State, seen: Extract<Seen, { is: 'failed' }>, facts: Facts, rules: Rules): Turn {
  const { reason, isRefused } = seen
  const alive = noteAlive(seenBy, facts.now)
  const refusedBefore = alive.outage?.refusedSince ?? null
  const refusedSince = isRefused ? (refusedBefore ?? facts.now) : null
  const state = { ...alive, freeSince: null, outage: { reason, refusedSince } }
  const isNew = alive.outage === null || (isRefused && refusedBefore === null)
  const remedy = isRefused ? '"footman doctor" names the line to correct; trying again' : 'trying again'
  const said = isNew ? [say('error', `The database cannot be used: ${reason}; ${remedy}`)] : []
  return then(turn(state, ...said), (one) => aloneWhenAway(one, facts, rules))
}

function noteAlive(state: State, now: number): State {
  const wasHalted = now - state.aliveAt > HALTED_MS
  return { ...state, aliveAt: now, answeredAt: wasHalted ? now : state.answeredAt }
}

/** Attempts may take seconds each, so that it is asked between them as well. */
function aloneWhenAway(state: State, facts: Facts, rules: Rules): Turn {
  const { outage, answeredAt, isStopping, part, aloneBecause } = state
  if (outage === null || isStopping || facts.now - answeredAt < rules.aloneAfterMs) return turn(state)
  if (outage.refusedSince !== null) return aloneWhenRefused(state, facts.now - outage.refusedSince, facts, rules)
  const isAlone = part === 'alone' && aloneBecause !== 'refused'
  if (isAlone || rules.whenDatabaseDown === 'wait') return turn(state)
  const wasLastLeader = part === 'leader'
  const alone = {
    ...state,
    aloneBecause: 'away',
    wasLastLeader,
    keepsDuties: wasLastLeader && rules.dutiesWhenDatabaseDown === 'lastLeader',
  } as const
  const why = { because: 'the database of the cluster cannot be reached' }
  const said = say('error', 'The database has been away for too long: this node works alone until it is back')
  return play(alone, 'alone', 'alone', why, facts, said, { do: 'drop' })
}

/**
 * Others may be let in, and do the work: this node keeps what it receives, and only reports that. No node can find out whether
 * one is, so that after a long time it alerts as without a database: an alert that comes twice is better than none.
 */
function aloneWhenRefused(state: State, forMs: number, facts: Facts, rules: Rules): Turn {
  const hasWaited = forMs >= rules.refusedAfterMs && rules.whenDatabaseDown === 'alert'
  const aloneBecause = hasWaited ? 'refused for long' : 'refused'
  const { part, aloneBecause: before } = state
  const isAlone = part === 'alone' && (before === aloneBecause || before === 'refused for long')
  if (isAlone || forMs < rules.aloneAfterMs / 2) return turn(state)
  const text = hasWaited
    ? 'The database has refused this node for too long: it alerts about what it has received, as other nodes may be refused too'
    : 'This node keeps what it receives until the database lets it in, and sends and starts nothing'
  const alone = { ...state, aloneBecause, wasLastLeader: false, keepsDuties: false } as const
  const why = { because: 'the database of the cluster refuses this node' }
  return play(alone, 'alone', 'alone', why, facts, say('error', text), { do: 'drop' })
}
