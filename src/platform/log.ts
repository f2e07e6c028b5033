/** The log: one line per call to the console and to daily files, as text or JSON, with secrets masked. */
import pino from 'pino'
import { systemClock } from './clock.ts'
import { isJournal, isSameOutput, withPriority } from './journal-stream.ts'
import { createLineWriter, type LineWriter } from './line-writer.ts'
import { createLogFile, type LogFileSettings } from './log-file.ts'
import { createLogMask } from './log-mask.ts'
import { type Clock, LOG_LEVELS, type LogFields, type Logger, type LogLevel } from './types.ts'
import { visible, visibleBlock } from './visible.ts'

export interface LogSettings {
  readonly level: LogLevel
  readonly format: 'text' | 'json'
  /** Write to standard output. */
  readonly console: boolean
  /** Colour the level word; default: only when standard output is a terminal. */
  readonly colour?: boolean
  readonly file?: LogFileSettings
  /** Values that must never appear, asked at every line; return the same array while nothing changes. */
  readonly secrets?: () => readonly string[]
}

export interface LogService extends Logger {
  setLevel(level: LogLevel): void
  /** Opens the log file anew (SIGHUP). */
  reopen(): void
  /** Resolves when all lines are with the operating system; gives up after two seconds on a stalled reader. */
  flush(): Promise<void>
  /** Flushes and closes; later lines are lost. */
  close(): Promise<void>
}

/** Replaced in tests. */
export interface LogDeps {
  readonly clock?: Clock
  readonly stdout?: LineWriter
  readonly stderr?: LineWriter
  readonly isTerminal?: boolean
  /** Standard output is read by the systemd journal. */
  readonly isJournal?: boolean
}

const RANK = Object.fromEntries(LOG_LEVELS.map((level, index) => [level, index])) as Record<LogLevel, number>
/** pino wants numbers that rise with importance. */
const PINO_LEVELS = Object.fromEntries(LOG_LEVELS.map((level, index) => [level, 60 - index * 10]))
const COLOURS: Record<LogLevel, number> = { error: 31, warn: 33, info: 32, verbose: 36, debug: 34, silly: 35 }
const RESERVED = ['ts', 'level', 'msg', 'component']
const FLUSH_MS = 2000
const NO_FIELDS: LogFields = Object.freeze({})

/**
 * Text lines are `<ISO 8601 UTC with milliseconds> <level>: <message>`; of the fields only errors are written (their
 * messages and causes; from level debug on, and of a `fault` always, their stacks, on indented lines of their own). JSON lines are
 * `{ts, level, msg, component, ...fields}`. Whatever a message holds, it cannot begin a line or steer a terminal.
 * Errors also go to standard error, unless that leads to the same place as standard output, or that is a terminal. The journal of systemd knows the time of each
 * line, and gets its priority instead; both outputs lead there, so errors are written once.
 */
export function createLogger(settings: LogSettings, deps: LogDeps = {}): LogService {
  const clock = deps.clock ?? systemClock
  const isTerminal = deps.isTerminal ?? process.stdout.isTTY === true
  const toJournal = settings.console && (deps.isJournal ?? isJournal(1))
  const colour = settings.colour ?? isTerminal
  const mask = createLogMask(settings.secrets ?? (() => []))
  const lostLine = (count: number) => plainLine('warn', `LOG: ${count} log lines could not be written and are lost`)
  const stdout = settings.console ? (deps.stdout ?? createLineWriter(1, lostLine)) : null
  const isOnce = isTerminal || toJournal || (!deps.stderr && isSameOutput(1, 2))
  const stderr = settings.console && !isOnce ? (deps.stderr ?? createLineWriter(2, lostLine)) : null
  const file = settings.file ? createLogFile({ clock, lostLine, onProblem: fileProblem }, settings.file) : null
  let level = settings.level

  const json = createJsonFormatter(clock)
  const timeOf = createTimeFormatter()

  function plainLine(lineLevel: LogLevel, message: string): string {
    if (settings.format === 'json') return json('LOG', lineLevel, message, {})
    return textLine(timeOf(clock.now()), lineLevel, message, false)
  }

  function fileProblem(problem: string): void {
    const line = plainLine('error', `LOG: ${problem}`)
    stdout?.write(toJournal ? withPriority('error', line) : line)
    stderr?.write(plainLine('error', `LOG: ${problem}`))
  }

  function write(component: string, lineLevel: LogLevel, message: string, fields: LogFields): void {
    if (RANK[lineLevel] > RANK[level]) return
    if (settings.format === 'json') {
      emit(lineLevel, json(component, lineLevel, mask.text(message), mask.fields(fields)))
      return
    }
    const text = visible(mask.text(fields === NO_FIELDS ? message : withErrors(message, fields)))
    const full = text + visibleBlock(mask.text(stacksOf(fields, RANK[level] >= RANK.debug)))
    const time = timeOf(clock.now())
    emit(lineLevel, textLine(time, lineLevel, full, false), shown(time, lineLevel, full))
  }

  /** What standard output gets; absent = the same as the file. */
  function shown(time: string, lineLevel: LogLevel, message: string): string | undefined {
    if (toJournal) return `${lineLevel}: ${message}\n`
    return colour ? textLine(time, lineLevel, message, true) : undefined
  }

  function emit(lineLevel: LogLevel, line: string, console = line): void {
    stdout?.write(toJournal ? withPriority(lineLevel, console) : console)
    if (lineLevel === 'error') stderr?.write(line)
    file?.write(line)
  }

  const onExit = () => {
    for (const sink of [stdout, stderr, file]) sink?.flushSync(FLUSH_MS)
  }
  process.on('exit', onExit)

  const logger = (component: string): Logger => {
    const at =
      (lineLevel: LogLevel) =>
      (message: string, fields: LogFields = NO_FIELDS) =>
        write(component, lineLevel, message, fields)
    return {
      error: at('error'),
      warn: at('warn'),
      info: at('info'),
      verbose: at('verbose'),
      debug: at('debug'),
      silly: at('silly'),
      enabled: (asked) => RANK[asked] <= RANK[level],
      child: (name) => logger(name),
    }
  }

  const flush = async () => {
    await Promise.all([stdout, stderr, file].map((sink) => sink?.flush(FLUSH_MS)))
  }

  return {
    ...logger(''),
    setLevel(next) {
      level = next
    },
    reopen: () => file?.reopen(),
    flush,
    async close() {
      await flush()
      process.off('exit', onExit)
      await file?.end()
    },
  }
}

/** Returns a function that makes one JSON line, ended by a line feed. */
function createJsonFormatter(clock: Clock) {
  let line = ''
  const instance = pino(
    {
      level: 'silly',
      customLevels: PINO_LEVELS,
      useOnlyCustomLevels: true,
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(text: string) {
        line = text
      },
    },
  ) as unknown as Record<LogLevel, (fields: object, message: string) => void>

  return (component: string, level: LogLevel, message: string, fields: Record<string, unknown>): string => {
    const own = Object.entries(fields).map(([key, value]) => [RESERVED.includes(key) ? `${key}_` : key, value])
    instance[level]({ ...(component ? { component } : {}), ...Object.fromEntries(own) }, message)
    // What JSON does not escape by itself: DEL, C1, separators, bidirectional controls.
    return `${visible(line.slice(0, -1))}\n`
  }
}

/** ISO 8601; under load many lines fall into one millisecond. */
function createTimeFormatter(): (now: number) => string {
  let last = Number.NaN
  let text = ''
  return (now) => {
    if (now !== last) text = new Date(now).toISOString()
    last = now
    return text
  }
}

function textLine(time: string, level: LogLevel, message: string, coloured: boolean): string {
  const word = coloured ? `\x1b[${COLOURS[level]}m${level}\x1b[39m` : level
  return `${time} ${word}: ${message}\n`
}

/** Adds what the errors among the fields say, unless the message says it already. */
function withErrors(message: string, fields: LogFields): string {
  let text = message
  for (const value of Object.values(fields)) {
    for (let error = value, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth += 1) {
      if (error.message && !text.includes(error.message)) text += `: ${error.message}`
    }
  }
  return text
}

/** Each on new lines: that of `fault`, or of all errors. */
function stacksOf(fields: LogFields, all: boolean): string {
  const errors = Object.entries(fields).map(([name, value]) => (all || name === 'fault' ? value : null))
  return errors.map((error) => (error instanceof Error && error.stack ? `\n${error.stack}` : '')).join('')
}
