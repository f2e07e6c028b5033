/** Whether output goes to the systemd journal, and lines as the journal wants them (`sd-daemon(3)`). */
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

/** With the priority before every line: the journal makes one entry of each. `text` ends with a line feed. */
export function withPriority(level: LogLevel, text: string): string {
  const mark = `<${PRIORITY[level]}>`
  return text.replaceAll(/^(?!$)/gm, mark)
}
