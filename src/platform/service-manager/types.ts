/** The service manager that started this process, as systemd's `sd_notify(3)` describes it. */

export interface ServiceManager {
  /** The start may take long (a database is brought up to date): don't give up on it. */
  starting(): void
  /** Everything listens. `status`: one line for people. */
  ready(status: string): void
  /** Tells that the configuration is read again, and when that is done. */
  reloading(work: () => Promise<void>): Promise<void>
  /** Stopping takes at most `graceMs`. */
  stopping(graceMs: number): void
  /**
   * From now on tells regularly that the process is alive, as long as `isAlive` resolves with true. Does nothing when the
   * service manager does not watch.
   */
  watch(isAlive: () => Promise<boolean>): void
  /** Resolves when everything told is told; nothing more is told then. */
  close(): Promise<void>
}
