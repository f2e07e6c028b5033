/** Ends a command that talks to a running Footman. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  constructor(
    readonly exitCode: number,
    /** What failed; `message` says why, and what to do. */
    readonly what: string,
    why: string,
    /** Of the answer; absent when there was none. */
    readonly status?: number,
  ) {
    super(why)
  }
}
