/** What the operating system and the runtime tell the process: signals, and errors that nobody caught. */
import type { Logger } from './types.ts'

export interface ProcessEvents {
  /** Resolves with the exit code when everything has stopped after a signal, an uncaught error or `end`. */
  readonly finished: Promise<number>
  /** Stops as a signal would, with this exit code. */
  end(exitCode: number): void
  /** Takes the handlers away. */
  release(): void
}

export interface ProcessEventDeps {
  readonly log: Logger
  /** Stops everything that runs; called once. */
  readonly stop: () => Promise<void>
  /** SIGHUP: open log files anew, read the configuration again. */
  readonly onHangup?: () => void | Promise<void>
  /** True for an error that passes, and after which everything goes on; such ones are logged once a minute. */
  readonly passes?: (error: unknown) => boolean
}

/** On Windows a closing console window counts as SIGHUP: there is nothing to read anew then, only to stop. */
const STOP_SIGNALS: readonly NodeJS.Signals[] =
  process.platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM']

/** Not 1: service managers are told that a wrong configuration ends with 1 and that a new start won't mend it. */
const CRASHED = 4

/** Between two lines about errors that pass. */
const PASSING_MS = 60_000

/** The same signal so soon again is one key press, delivered twice. */
const REPEATED_SIGNAL_MS = 300

/**
 * First SIGTERM or SIGINT: stop and finish with 0. Second one: end at once, as killed by that signal. A rejection that
 * nobody handled is logged; an exception that nobody caught is logged and stops the process with 4.
 */
export function watchProcess(deps: ProcessEventDeps): ProcessEvents {
  const { log } = deps
  const { promise: finished, resolve } = Promise.withResolvers<number>()
  let ending = false
  let passedAt = Number.NEGATIVE_INFINITY
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | null = null

  function end(exitCode: number): void {
    if (ending) return
    ending = true
    deps.stop().then(
      () => resolve(exitCode),
      (error) => {
        log.error('MAIN: Stopping failed', { error })
        resolve(exitCode || CRASHED)
      },
    )
  }

  function onStopSignal(signal: NodeJS.Signals): void {
    if (ending) {
      // A terminal and a wrapper may both pass on one key press.
      const repeated = first?.signal === signal && performance.now() - first.at < REPEATED_SIGNAL_MS
      if (!repeated) endAtOnce(signal)
      return
    }
    first = { signal, at: performance.now() }
    log.info(`MAIN: Received ${signal}, stopping. A second signal ends Footman at once.`)
    end(0)
  }

  function endAtOnce(signal: NodeJS.Signals): void {
    release()
    process.kill(process.pid, signal)
  }

  async function onHangup(): Promise<void> {
    log.info('MAIN: Received SIGHUP')
    try {
      await deps.onHangup?.()
    } catch (error) {
      log.error('MAIN: Acting on SIGHUP failed', { error })
    }
  }

  function onUnhandledRejection(reason: unknown): void {
    if (deps.passes?.(reason)) {
      passing(reason)
      return
    }
    log.error(`UNHANDLED REJECTION: Reason: ${textOf(reason)}`, { error: reason })
    if (reason instanceof Error) log.error(`UNHANDLED REJECTION: Stack trace: ${String(reason)}`, { fault: reason })
  }

  function onUncaughtException(error: unknown): void {
    if (deps.passes?.(error)) {
      passing(error)
      return
    }
    log.error(`UNCAUGHT EXCEPTION: ${textOf(error)}`, { error })
    if (error instanceof Error) log.error(`UNCAUGHT EXCEPTION: Stack trace: ${String(error)}`, { fault: error })
    end(CRASHED)
  }

  function passing(error: unknown): void {
    if (performance.now() - passedAt < PASSING_MS) return
    passedAt = performance.now()
    log.error(`MAIN: Something could not be done and is tried again later: ${textOf(error)}`)
  }

  function release(): void {
    for (const signal of STOP_SIGNALS) process.off(signal, onStopSignal)
    process.off('SIGHUP', onHangup)
    process.off('unhandledRejection', onUnhandledRejection)
    process.off('uncaughtException', onUncaughtException)
  }

  for (const signal of STOP_SIGNALS) process.on(signal, onStopSignal)
  if (!STOP_SIGNALS.includes('SIGHUP')) process.on('SIGHUP', onHangup)
  process.on('unhandledRejection', onUnhandledRejection)
  process.on('uncaughtException', onUncaughtException)
  return { finished, end, release }
}

const textOf = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason))
