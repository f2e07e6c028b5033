/** Log files named `butler.YYYY-MM-DD.log` (local date), numbered when one day needs several, deleted when old or too many. */
import { closeSync, mkdirSync, openSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { errorText } from './errors.ts'
import { createLineWriter, type LineWriter } from './line-writer.ts'
import type { Clock } from './types.ts'

export interface LogFileSettings {
  readonly directory: string
  /** Bytes; a line that would go beyond starts the next file of the same day: `butler.YYYY-MM-DD.1.log`. */
  readonly maxFileSize: number
  /** Files that were last written longer ago than this many milliseconds are deleted. */
  readonly keepMs: number
  /** Bytes of all files together; beyond that the oldest are deleted, never the current one. */
  readonly maxTotalSize: number
}

export interface LogFile {
  write(line: string): void
  /** Opens the file anew, for external tools that move log files away. */
  reopen(): void
  flush(timeoutMs: number): Promise<void>
  flushSync(limitMs: number): void
  end(): Promise<void>
}

const FILE_NAME = /^butler\.(\d{4}-\d{2}-\d{2})(?:\.(\d+))?\.log$/
/** Tested first: most lines are printable ASCII, and counting bytes is the most expensive step here. */
const NOT_ASCII = /[^ -~\n]/
const RETRY_OPEN_MS = 60_000

/** Never throws: calls `onProblem` when the file cannot be opened, and tries again every minute. */
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
  /** Bytes of the files that may be deleted. */
  let older = 0
  // One file alone must leave room for the lines before it.
  const maxFileSize = Math.min(settings.maxFileSize, settings.maxTotalSize / 2)
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
      const name = fileName(day, number)
      const path = join(settings.directory, name)
      const fd = openSync(path, 'a', 0o640)
      try {
        size = statSync(path).size
      } catch (error) {
        closeSync(fd)
        throw error
      }
      writer = createLineWriter(fd, deps.lostLine)
      deleteOld(settings, now)
      older = deleteOldest(settings.directory, name, settings.maxTotalSize - size)
    } catch (error) {
      retryAt = now + RETRY_OPEN_MS
      deps.onProblem(`cannot write log files in "${settings.directory}": ${errorText(error)}`)
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
      if (writer && size > 0 && size + bytes > maxFileSize) {
        number += 1
        open(now)
      }
      size += bytes
      if (older > 0 && size + older > settings.maxTotalSize) {
        older = deleteOldest(settings.directory, fileName(day, number), settings.maxTotalSize - size)
      }
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

/** The number of the day's newest file; after a restart logging continues there. */
function lastNumber(directory: string, day: string): number {
  const numbers = list(directory)
    .map((name) => new RegExp(`^butler\\.${day}\\.(\\d+)\\.log$`).exec(name)?.[1])
    .map((number) => Number(number ?? 0))
  return Math.max(0, ...numbers)
}

function deleteOld(settings: LogFileSettings, now: number): void {
  for (const name of list(settings.directory).filter((each) => FILE_NAME.test(each))) {
    const path = join(settings.directory, name)
    try {
      if (statSync(path).mtimeMs < now - settings.keepMs) unlinkSync(path)
    } catch {
      // Locked by another program or already deleted: tried again on the next day.
    }
  }
}

/** Deletes the oldest files until all but the current one have at most `room` bytes; returns the bytes of those left. */
function deleteOldest(directory: string, current: string, room: number): number {
  const files = list(directory)
    .filter((name) => FILE_NAME.test(name) && name !== current)
    .sort((a, b) => ageKey(a).localeCompare(ageKey(b)))
    .map((name) => ({ path: join(directory, name), bytes: sizeOf(join(directory, name)) }))
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let kept = total
  for (const { path, bytes } of files) {
    if (total <= room) break
    kept -= bytes
    try {
      unlinkSync(path)
      total -= bytes
    } catch {
      // Locked by another program: the next file is deleted instead.
    }
  }
  return kept
}

/** Sorts by day and number. */
function ageKey(name: string): string {
  const [, day = '', number = '0'] = FILE_NAME.exec(name) ?? []
  return `${day}.${number.padStart(9, '0')}`
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
