import type { Clock } from './types.ts'

/** The host's wall clock. */
export const systemClock: Clock = { now: () => Date.now() }
