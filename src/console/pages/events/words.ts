/** Outcomes, types and sources of events, and reasons of dropped datagrams, in words. */
import type { Dropped, EventItem } from '../../../alerts/history/contract.ts'
import { EVENT_OUTCOMES } from '../../../events/kinds.ts'
import { STATES, type State } from '../../ui/marks.tsx'

type Outcome = EventItem['outcome']

const OUTCOME_STATES: Readonly<Record<Outcome, readonly [State, word?: string]>> = {
  failed: ['failed'],
  aborted: ['aborted'],
  success: ['success'],
  late: ['late', 'late'],
  stuck: ['late', 'stuck'],
  neverStarted: ['missing', 'never started'],
  stopped: ['failed', 'stopped'],
  started: ['success', 'started'],
  unreachable: ['failed', 'unreachable'],
  status: ['unknown', 'status'],
  expiring: ['warning', 'expiring'],
  expired: ['failed', 'expired'],
  raised: ['warning', 'raised'],
  cleared: ['success', 'cleared'],
}

const isOutcome = (text: string | null): text is Outcome =>
  (EVENT_OUTCOMES as readonly (string | null)[]).includes(text)

export const outcomeState = (outcome: string | null): State =>
  isOutcome(outcome) ? OUTCOME_STATES[outcome][0] : 'unknown'

export function outcomeWord(outcome: string | null): string {
  if (!isOutcome(outcome)) return 'not known'
  const [state, word] = OUTCOME_STATES[outcome]
  return word ?? STATES[state].word
}

/** Types as people write them. */
export const TYPE_WORDS: Readonly<Record<EventItem['type'], string>> = {
  reload: 'reload',
  externalProgram: 'external program',
  userSync: 'user sync',
  distribute: 'distribution',
  preload: 'preload',
  cloudReload: 'Qlik Cloud reload',
  appReload: 'app reload without a task',
  service: 'Windows service',
  license: 'licence',
  self: 'Footman itself',
}

export const SOURCE_WORDS: Readonly<Record<EventItem['source'], string>> = {
  udp: 'Qlik Sense',
  cloud: 'Qlik Cloud',
  monitor: 'monitor',
  reconciler: 'history of Qlik Sense',
  watchdog: 'watchdog',
  self: 'Footman itself',
  test: 'test',
}

/** Why a datagram did not become an event. */
export const DROP_WORDS: Readonly<Record<Dropped['dropped'][number]['reason'], string>> = {
  SOURCE_NOT_ALLOWED: 'its sender is not in the list of allowed addresses',
  TOO_LARGE: 'it is too large',
  RATE_LIMITED: 'more messages a minute than allowed',
  INVALID: 'it has not the form of a message of Qlik Sense',
  UNKNOWN_TYPE: 'its type is not known',
  DUPLICATE: 'the same message has arrived before',
  TASK_NOT_FOUND: 'Qlik Sense has no task with this id',
  APP_NOT_FOUND: 'Qlik Sense has no app with this id',
  BACKLOG_FULL: 'too many messages waited',
}
