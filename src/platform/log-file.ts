/** Log files named `butler.YYYY-MM-DD.log` (local date), numbered when one day needs several, deleted when old. */
import { closeSync, mkdirSync, openSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createLineWriter, type LineWriter } from './line-writer.ts'
import type { Clock } from './types.ts'

export interface LogFileSettings {
  readonly directory: string
  /** Bytes; a line that would go beyond starts the next file of the same day: `butler.YYYY-MM-DD.1.log`. */
  readonly maxFileSize: number
  /** Files that were last written longer ago than this many milliseconds are deleted. */
  readonly keepMs: number
}

export interface LogFile {
  write(line: string): void
  /** Opens the file anew, for external tools that move log files away. */
  reopen(): void
  flush(timeoutMs: number): Promise<void>
  flushSync(limitMs: number): void
  end(): Promise<void>
}

const FILE_NAME = /^butler\.\d{4}-\d{2}-\d{2}(\.\d+)?\.log$/
/** Asked first, because the usual line is printable ASCII and counting bytes costs more than all else here. */
const NOT_ASCII = /[^ -~\n]/
const RETRY_OPEN_MS = 60_000

/** Never throws: `onProblem` is told when the file cannot be opened, and opening is tried again every minute. */
export function createLogFile(
  deps: { clock: Clock; lostLine: (count: number) => string; onProblem: (problem: string) => void },
  settings: LogFileSettings,
): LogFile {
  let writer: LineWriter | null = null
  let day = ''
  let dayEnds = 0
  let number = 0
  let size = 0
  let retryAt = 0
  const ending = new Set<LineWriter>()

  function release(): void {
    const old = writer
    writer = null
    if (!old) return
    ending.add(old)
    void old.end().finally(() => ending.delete(old))
  }

  function open(now: number): void {
    release()
    try {
      mkdirSync(settings.directory, { recursive: true })
      const path = join(settings.directory, fileName(day, number))
      const fd = openSync(path, 'a', 0o640)
      try {
        size = statSync(path).size
      } catch (error) {
        closeSync(fd)
        throw error
      }
      writer = createLineWriter(fd, deps.lostLine)
      prune(settings, now)
    } catch (error) {
      retryAt = now + RETRY_OPEN_MS
      deps.onProblem(`cannot write log files in "${settings.directory}": ${(error as Error).message}`)
    }
  }

  function startDay(now: number): void {
    day = localDate(now)
    dayEnds = endOfDay(now)
    number = lastNumber(settings.directory, day)
    open(now)
  }

  return {
    write(line) {
      const now = deps.clock.now()
      const bytes = NOT_ASCII.test(line) ? Buffer.byteLength(line) : line.length
      if (now >= dayEnds || localDateChangedBack(now, dayEnds)) startDay(now)
      else if (!writer && now >= retryAt) open(now)
      if (writer && size > 0 && size + bytes > settings.maxFileSize) {
        number += 1
        open(now)
      }
      size += bytes
      writer?.write(line)
    },
    reopen() {
      if (day) open(deps.clock.now())
    },
    async flush(timeoutMs) {
      await Promise.all([...ending, ...(writer ? [writer] : [])].map((each) => each.flush(timeoutMs)))
    },
    flushSync(limitMs) {
      for (const each of [...ending, ...(writer ? [writer] : [])]) each.flushSync(limitMs)
    },
    async end() {
      release()
      await Promise.all([...ending].map((each) => each.flush(2000)))
    },
  }
}

const DAY_MS = 86_400_000
/** The clock was set back by more than a day (a day may have 25 hours). */
const localDateChangedBack = (now: number, dayEnds: number) => now < dayEnds - DAY_MS - 3_600_000

const fileName = (day: string, number: number) => `butler.${day}${number > 0 ? `.${number}` : ''}.log`

function localDate(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function endOfDay(ms: number): number {
  const date = new Date(ms)
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime()
}

/** The number of the day's newest file, so that a restart goes on where the last run stopped. */
function lastNumber(directory: string, day: string): number {
  const numbers = list(directory)
    .map((name) => new RegExp(`^butler\\.${day}\\.(\\d+)\\.log$`).exec(name)?.[1])
    .map((number) => Number(number ?? 0))
  return Math.max(0, ...numbers)
}

function prune(settings: LogFileSettings, now: number): void {
  for (const name of list(settings.directory).filter((each) => FILE_NAME.test(each))) {
    const path = join(settings.directory, name)
    try {
      if (statSync(path).mtimeMs < now - settings.keepMs) unlinkSync(path)
    } catch {
      // Held by another program or already gone: the next day's pruning meets it again.
    }
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
