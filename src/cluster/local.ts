/** The state of a node on its own. */
import { type Clock, systemClock } from '../platform/types.ts'
import type { SharedState } from './types.ts'

/** Leads always, and everything is durable with its own commit. */
export function createLocalState(clock: Clock = systemClock): SharedState {
  return {
    mode: 'single',
    runsDuties: true,
    delivers: true,
    mayAct: () => true,
    afterCommit: () => null,
    inbox: null,
    atLeader: () => null,
    serve: () => undefined,
    caughtUp: async () => ({ staleMs: 0 }),
    clock,
    documents: { read: async () => null, write: async () => true, onChange: () => () => undefined },
    onApplied: () => () => undefined,
    status: null,
    services: [],
  }
}
