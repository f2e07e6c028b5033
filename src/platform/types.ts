/** Interfaces that all rooms share: log, clock, service. */

/** Butler's level names, most important first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'verbose', 'debug', 'silly'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export type LogFields = Readonly<Record<string, unknown>>

/**
 * Writes one line per call; `fields` are structured extras, masked before they are written. An error named `fault` is a
 * fault of Footman itself: its stack is written at every level.
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

const discard = (): void => {}

/** Discards all lines; for commands that print their own messages about errors. */
export const SILENT: Logger = {
  error: discard,
  warn: discard,
  info: discard,
  verbose: discard,
  debug: discard,
  silly: discard,
  enabled: () => false,
  child: () => SILENT,
}

/** Wall clock in milliseconds since 1970-01-01 UTC; replaced in tests. */
export interface Clock {
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/** A running part: the composition root starts all services in order, and stops them in reverse. */
export interface Service {
  readonly name: string
  start(): Promise<void>
  /** Accepts no more work, finishes or re-queues the work in progress; resolves within `graceMs`. */
  stop(graceMs: number): Promise<void>
}
