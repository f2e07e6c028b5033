/** Footman cannot start: a port is taken, a directory not writable, a certificate unreadable. */
export class StartError extends Error {
  override readonly name = 'StartError'
  /** Exit code of the process. */
  readonly exitCode = 2
  /** The remedy, when the message does not contain it; else ''. */
  readonly hint: string

  constructor(message: string, { hint = '', ...options }: ErrorOptions & { readonly hint?: string } = {}) {
    super(message, options)
    this.hint = hint
  }
}

/** The message of an error, or the text of another thrown value. */
export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error))
