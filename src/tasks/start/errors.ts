import type { StartOutcome } from './types.ts'

/** What is known when the look-ups break off; nothing has been started. */
export type KnownSoFar = Pick<StartOutcome, 'notFound' | 'denied'>

/** QRS could not be asked which tasks are meant, or answered with an error. Nothing was started. */
export class LookupError extends Error {
  override readonly name = 'LookupError'
  constructor(
    /** True when QRS accepted the connection and then stayed silent. */
    readonly timedOut: boolean,
    message: string,
    readonly known: KnownSoFar,
    cause: unknown,
  ) {
    super(message, { cause })
  }
}

/** Footman only watches: it starts nothing. */
export class ShadowModeError extends Error {
  override readonly name = 'ShadowModeError'
  constructor() {
    super('Footman runs in shadow mode, which starts no tasks. Run it without --shadow and Butler.footman.shadow.')
  }
}

/** The start queue has no room for the tasks of the request. Nothing was started. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
  constructor(waiting: number, capacity: number) {
    super(
      `${waiting} tasks wait in the start queue, which holds at most ${capacity}. Nothing was started; try again later, or remove entries with DELETE /v4/startqueue/{queueId}.`,
    )
  }
}
