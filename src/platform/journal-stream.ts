/** Where output goes: to the systemd journal, with lines as it wants them (`sd-daemon(3)`), or two outputs to one place. */
import { fstatSync } from 'node:fs'
import type { LogLevel } from './types.ts'

const PRIORITY: Record<LogLevel, number> = { error: 3, warn: 4, info: 6, verbose: 7, debug: 7, silly: 7 }

/** JOURNAL_STREAM names the device and inode of the journal's socket; a redirection of ours may lead elsewhere. */
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

/** True when both lead to the same file, terminal or pipe, as with `2>&1`. Windows does not tell for pipes. */
export function isSameOutput(one: number, other: number): boolean {
  try {
    const [first, second] = [fstatSync(one, { bigint: true }), fstatSync(other, { bigint: true })]
    return first.ino !== 0n && first.dev === second.dev && first.ino === second.ino
  } catch {
    return false
  }
}

/** With the priority before every line: the journal makes one entry of each. `text` ends with a line feed. */
export function withPriority(level: LogLevel, text: string): string {
  const mark = `<${PRIORITY[level]}>`
  return text.replaceAll(/^(?!$)/gm, mark)
}
