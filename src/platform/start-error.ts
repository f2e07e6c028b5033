/** Footman cannot start: a port is taken, a directory not writable, a certificate unreadable. */
export class StartError extends Error {
  override readonly name = 'StartError'
  /** Exit code of the process. */
  readonly exitCode = 2
}
