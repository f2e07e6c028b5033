/** The log: one line per call to the console and to daily files, as text or JSON, with secrets masked. */
import { fstatSync } from 'node:fs'
import pino from 'pino'
import { createLineWriter, type LineWriter } from './line-writer.ts'
import { createLogFile, type LogFileSettings } from './log-file.ts'
import { createLogMask, type LogMask } from './log-mask.ts'
import { type Clock, LOG_LEVELS, type LogFields, type Logger, type LogLevel, systemClock } from './types.ts'
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
  /** Host names that stay readable although a secret is a part of them. */
  readonly hosts?: () => readonly string[]
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
interface LogDeps {
  readonly clock?: Clock
  readonly stdout?: LineWriter
  readonly stderr?: LineWriter
  readonly isTerminal?: boolean
  /** Standard output is read by the systemd journal. */
  readonly isJournal?: boolean
}

/** Numbers that rise with importance, as pino wants them. */
const LEVEL_NUMBERS = Object.fromEntries(LOG_LEVELS.map((level, index) => [level, 60 - index * 10])) as Record<
  LogLevel,
  number
>
const COLOURS: Record<LogLevel, number> = { error: 31, warn: 33, info: 32, verbose: 36, debug: 34, silly: 35 }
const RESERVED = ['ts', 'level', 'msg', 'component']
const FLUSH_MS = 2000
const NO_FIELDS: LogFields = Object.freeze({})

/**
 * Text lines are `<ISO 8601 UTC with milliseconds> <level>: <message>`; of the fields only errors are written (their
 * messages and causes; from level debug on, and of a `fault` always, their stacks, on indented lines of their own). JSON
 * lines are `{level, ts, component, ...fields, msg}`. A message cannot begin a new line or send commands to a terminal.
 *
 * Errors also go to standard error, unless that is a terminal or leads to the same place as standard output. The systemd
 * journal knows the time of each line, and gets its priority instead; both outputs lead there, so errors are written once.
 *
 * pino filters by level, makes children and JSON; this module adds the text format and chooses the outputs.
 */
export function createLogger(settings: LogSettings, deps: LogDeps = {}): LogService {
  const clock = deps.clock ?? systemClock
  const isTerminal = deps.isTerminal ?? process.stdout.isTTY === true
  const toJournal = settings.console && (deps.isJournal ?? isJournal(1))
  const colour = settings.colour ?? isTerminal
  const mask = createLogMask(settings.secrets ?? (() => []), settings.hosts)
  const lostLine = (count: number) => ownLine('warn', `LOG: ${count} log lines could not be written and are lost`)
  const stdout = settings.console ? (deps.stdout ?? createLineWriter(1, lostLine)) : null
  const isOnce = isTerminal || toJournal || (!deps.stderr && isSameOutput(1, 2))
  const stderr = settings.console && !isOnce ? (deps.stderr ?? createLineWriter(2, lostLine)) : null
  const file = settings.file ? createLogFile({ clock, lostLine, onProblem: fileProblem }, settings.file) : null
  const outputs = [stdout, stderr, file]
  const timeNow = createTimeFormatter(clock)

  const destination = {
    [pino.symbols.needsMetadataGsym]: true as const,
    // Set by pino before each write of JSON.
    lastLevel: 0,
    lastTime: '',
    lastMsg: '',
    lastObj: NO_FIELDS,
    lastLogger: null as unknown,
    write(json: string) {
      // JSON itself leaves DEL, C1, separators and bidirectional controls as they are.
      emit(levelOf(this.lastLevel), `${visible(json.slice(0, -1))}\n`)
    },
  }
  const root = createPino(settings, timeNow, mask, destination, writeText)
  const levelOf = (number: number) => root.levels.labels[number] as LogLevel

  function writeText(number: number, message: string, fields: LogFields): void {
    const level = levelOf(number)
    const time = timeNow()
    const full =
      fields === NO_FIELDS
        ? visible(mask.text(message))
        : visible(mask.text(withErrors(message, fields))) +
          visibleBlock(mask.text(stacksOf(fields, root.isLevelEnabled('debug'))))
    const line = textLine(time, level, full)
    if (toJournal) emit(level, line, `${level}: ${full}\n`)
    else emit(level, line, colour ? textLine(time, level, full, COLOURS[level]) : line)
  }

  function emit(level: LogLevel, line: string, console = line): void {
    stdout?.write(toJournal ? withPriority(level, console) : console)
    if (level === 'error') stderr?.write(line)
    file?.write(line)
  }

  /** A line about one of the outputs, which does not go to all of them. */
  function ownLine(level: LogLevel, message: string): string {
    if (settings.format === 'text') return textLine(timeNow(), level, message)
    return `${visible(JSON.stringify({ level, ts: timeNow(), component: 'LOG', msg: message }))}\n`
  }

  function fileProblem(problem: string): void {
    const line = ownLine('error', `LOG: ${problem}`)
    stdout?.write(toJournal ? withPriority('error', line) : line)
    stderr?.write(line)
  }

  const onExit = () => {
    for (const output of outputs) output?.flushSync(FLUSH_MS)
  }
  process.on('exit', onExit)

  const flush = async () => {
    await Promise.all(outputs.map((output) => output?.flush(FLUSH_MS)))
  }

  return {
    ...asLogger(root, root),
    setLevel(level) {
      root.level = level
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

type PinoLogger = pino.Logger<LogLevel>

/**
 * Lines of the JSON format are masked here, those of the text format by `writeText`, which is called instead of making JSON:
 * that takes five times as long as the text.
 */
function createPino(
  { format, level }: LogSettings,
  timeNow: () => string,
  mask: LogMask,
  destination: pino.DestinationStream,
  writeText: (level: number, message: string, fields: LogFields) => void,
) {
  const options = { level, customLevels: LEVEL_NUMBERS, useOnlyCustomLevels: true, base: null }
  if (format === 'text') {
    const logMethod = (args: unknown[], _json: unknown, number: number) =>
      writeText(number, args[1] as string, args[0] as LogFields)
    return pino<LogLevel>({ ...options, hooks: { logMethod } }, destination)
  }
  return pino<LogLevel>(
    {
      ...options,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${timeNow()}"`,
      serializers: { msg: mask.text },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => (fields === NO_FIELDS ? fields : withoutReserved(mask.fields(fields))),
      },
    },
    destination,
  )
}

/** Children follow the level of `root`. The component of a child of a child is its own name alone. */
function asLogger(root: PinoLogger, instance: PinoLogger): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = NO_FIELDS) =>
      instance[level](fields, message)
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    verbose: at('verbose'),
    debug: at('debug'),
    silly: at('silly'),
    enabled: (level) => instance.isLevelEnabled(level),
    child: (component) => asLogger(root, root.child({ component })),
  }
}

/** A field with the name of a fixed member gets an underscore: `level_`. */
function withoutReserved(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [RESERVED.includes(key) ? `${key}_` : key, value]),
  )
}

/** ISO 8601; under load many lines fall into one millisecond. */
function createTimeFormatter(clock: Clock): () => string {
  let last = Number.NaN
  let text = ''
  return () => {
    const now = clock.now()
    if (now !== last) text = new Date(now).toISOString()
    last = now
    return text
  }
}

function textLine(time: string, level: LogLevel, message: string, colour?: number): string {
  const word = colour ? `\x1b[${colour}m${level}\x1b[39m` : level
  return `${time} ${word}: ${message}\n`
}

/** Adds the messages of the errors among the fields and of their causes, unless the message contains them already. */
function withErrors(message: string, fields: LogFields): string {
  let text = message
  for (const value of Object.values(fields)) {
    for (let error = value, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth += 1) {
      if (error.message && !text.includes(error.message)) text += `: ${error.message}`
    }
  }
  return text
}

/** The stack of `fault`, or those of all errors, each on new lines. */
function stacksOf(fields: LogFields, all: boolean): string {
  const errors = Object.entries(fields).map(([name, value]) => (all || name === 'fault' ? value : null))
  return errors.map((error) => (error instanceof Error && error.stack ? `\n${error.stack}` : '')).join('')
}

/** Priorities of the systemd journal (`sd-daemon(3)`). */
const PRIORITY: Record<LogLevel, number> = { error: 3, warn: 4, info: 6, verbose: 7, debug: 7, silly: 7 }

/**
 * True when `fd` leads to the systemd journal. `JOURNAL_STREAM` names the device and inode of its socket; the variable alone
 * is no proof, because the output may be redirected.
 */
export function isJournal(fd: number, env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const stream = env.JOURNAL_STREAM
  if (!stream) return false
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return stream === `${dev}:${ino}`
  } catch {
    return false
  }
}

/** True when both lead to the same file, terminal or pipe, as with `2>&1`. Windows has no inodes for pipes: false there. */
function isSameOutput(one: number, other: number): boolean {
  try {
    const [first, second] = [fstatSync(one, { bigint: true }), fstatSync(other, { bigint: true })]
    return first.ino !== 0n && first.dev === second.dev && first.ino === second.ino
  } catch {
    return false
  }
}

/** Adds the priority before every line, because the journal makes an entry of each. `text` ends with a line feed. */
export function withPriority(level: LogLevel, text: string): string {
  const mark = `<${PRIORITY[level]}>`
  return text.replaceAll(/^(?!$)/gm, mark)
}
