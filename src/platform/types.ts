/** The small contracts every floor of the house shares. */

/** Butler's level names, most important first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'verbose', 'debug', 'silly'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export type LogFields = Readonly<Record<string, unknown>>

/**
 * Writes one line per call; `fields` are structured extras, masked before they are written. An error called `fault` is one
 * of Footman itself: its stack is written at every level.
 */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  verbose(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  silly(message: string, fields?: LogFields): void
  /** True when a line of this level would be written; guards expensive messages. */
  enabled(level: LogLevel): boolean
  /** A logger that adds `component` to every line of the JSON format. */
  child(component: string): Logger
}

/** Wall clock in milliseconds since 1970-01-01 UTC; replaced in tests. */
export interface Clock {
  now(): number
}

/** Whatever runs: started and stopped by the composition root, in order. */
export interface Service {
  readonly name: string
  start(): Promise<void>
  /** Stops taking work, finishes or hands back what is under way; resolves within `graceMs`. */
  stop(graceMs: number): Promise<void>
}
