/** Events of the process: signals and uncaught errors. */
import { errorText } from './errors.ts'
import type { Logger } from './types.ts'

export interface ProcessEvents {
  /** Resolves with the exit code when everything has stopped after a signal, an uncaught error or `end`. */
  readonly finished: Promise<number>
  /** Stops as a signal would, with this exit code. */
  end(exitCode: number): void
  /** Removes the handlers. */
  release(): void
}

export interface ProcessEventDeps {
  readonly log: Logger
  /** Stops all services; called once. */
  readonly stop: () => Promise<void>
  /** Called on SIGHUP: opens log files anew, reads the configuration again. */
  readonly onHangup?: () => void | Promise<void>
  /** True for a temporary error, after which Footman continues; these are logged once a minute. */
  readonly passes?: (error: unknown) => boolean
}

/** On Windows, closing the console window arrives as SIGHUP and means stop. */
const STOP_SIGNALS: readonly NodeJS.Signals[] =
  process.platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM']

/** Not 1, which is the exit code of a wrong configuration: service managers do not restart after it. */
const CRASHED = 4

/** Time between two log lines about temporary errors. */
const PASSING_MS = 60_000

/** The same signal within this time is one key press, delivered twice. */
const REPEATED_SIGNAL_MS = 300

/**
 * The first SIGTERM or SIGINT stops the process with 0; the second one ends it at once, as killed by that signal. An unhandled
 * rejection is logged; an uncaught exception is logged and stops the process with 4.
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
      // A terminal and a wrapper may both forward one key press.
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
    log.error(`UNHANDLED REJECTION: Reason: ${errorText(reason)}`, { error: reason })
    if (reason instanceof Error) log.error(`UNHANDLED REJECTION: Stack trace: ${String(reason)}`, { fault: reason })
  }

  function onUncaughtException(error: unknown): void {
    if (deps.passes?.(error)) {
      passing(error)
      return
    }
    log.error(`UNCAUGHT EXCEPTION: ${errorText(error)}`, { error })
    if (error instanceof Error) log.error(`UNCAUGHT EXCEPTION: Stack trace: ${String(error)}`, { fault: error })
    end(CRASHED)
  }

  function passing(error: unknown): void {
    if (performance.now() - passedAt < PASSING_MS) return
    passedAt = performance.now()
    log.error(`MAIN: Something could not be done and is tried again later: ${errorText(error)}`)
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
