/** Rounds of questions to QRS: about the events of one task together, and about so many at a time. */
import type { StoredEvent } from '../store.ts'
import type { State } from './job.ts'

interface Askable {
  readonly event: Pick<StoredEvent, 'taskId'>
  readonly state: Pick<State, 'is'>
}

interface RoundsDeps<E> {
  /** Resolves with the function that settles the event; never rejects. */
  readonly ask: (event: E) => Promise<() => void>
  /** False while QRS cannot be reached. */
  readonly isOpen: () => boolean
  readonly onEnd: () => void
}

interface Rounds<E> {
  /** The event is ready. */
  add(event: E): void
  /** Begins the rounds for which there is room. */
  begin(): void
  /** Events in rounds. */
  readonly asked: number
  /** Resolves when the rounds under way are over. */
  settled(): Promise<unknown>
}

/** `most`: no round is begun while QRS is asked about so many events. */
export function createRounds<E extends Askable>({ ask, isOpen, onEnd }: RoundsDeps<E>, most: number): Rounds<E> {
  const busy = new Set<string>()
  const rounds = new Set<Promise<void>>()
  let ready: E[] = []
  let asked = 0

  function begin(taskId: string, events: readonly E[]): void {
    busy.add(taskId)
    asked += events.length
    const round = askTogether(events).finally(() => {
      rounds.delete(round)
      busy.delete(taskId)
      asked -= events.length
      onEnd()
    })
    rounds.add(round)
  }

  /** However the answers come, the events are settled in their order. */
  async function askTogether(events: readonly E[]): Promise<void> {
    for (const asking of events.map(ask)) (await asking)()
  }

  return {
    add(event) {
      ready.push(event)
    },
    begin() {
      const still = ready.filter(({ state }) => state.is === 'ready')
      const { begun, rest } = roundsOf(still, busy, isOpen() ? most - asked : 0)
      ready = rest
      for (const [taskId, events] of begun) begin(taskId, events)
    },
    get asked() {
      return asked
    },
    settled: () => Promise.allSettled(rounds),
  }
}

/**
 * The tasks about whose ready events QRS is asked now, and the events that stay ready. The events of one task are asked about
 * together; `busy`: tasks of rounds under way. `room`: more events are asked about while it is above 0.
 */
export function roundsOf<E extends { readonly event: Pick<StoredEvent, 'taskId'> }>(
  ready: readonly E[],
  busy: ReadonlySet<string>,
  room: number,
): { readonly begun: ReadonlyMap<string, readonly E[]>; readonly rest: E[] } {
  const begun = new Map<string, readonly E[]>()
  const rest: E[] = []
  let left = room
  for (const [taskId, events] of Map.groupBy(ready, ({ event }) => event.taskId)) {
    if (left <= 0 || busy.has(taskId)) rest.push(...events)
    else {
      begun.set(taskId, events)
      left -= events.length
    }
  }
  return { begun, rest }
}
