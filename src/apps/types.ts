/** Reloads of apps without a task, as other features see them. */

export interface AppReloadLine {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

export interface AppReload {
  /** UUID version 7. */
  readonly executionId: string
  readonly kind: 'appReload'
  readonly appId: string
  /** Null until the engine has returned it. */
  readonly appName: string | null
  readonly partial: boolean
  /** `key:erp`, a client address, ... */
  readonly actor: string
  readonly state: 'running' | 'finished'
  /** `unknown`: Footman stopped while the reload ran. Null while it runs. */
  readonly outcome: 'success' | 'failed' | 'unknown' | null
  /** The present step as the engine reports it; empty when it reports none. */
  readonly progress: string
  /** Null unless it failed or its outcome is unknown. */
  readonly error: string | null
  /** Times in milliseconds since 1970: accepted, script started, everything done (follow-up tasks included). */
  readonly triggeredAt: number
  readonly startedAt: number
  readonly stoppedAt: number | null
  /** Progress and errors, oldest first; the newest 500 lines. */
  readonly details: readonly AppReloadLine[]
  /** Path on the engine's server, null while unknown. */
  readonly scriptLogFile: string | null
}

export interface AppReloads {
  /** Null for an id that is unknown or so old that it was forgotten. */
  get(executionId: string): AppReload | null
  /** Resolves when the reload has finished, at once for an unknown id. Never rejects. */
  finished(executionId: string): Promise<void>
}
