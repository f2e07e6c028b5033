/** Where in the schedule file something stands. */
import { basename } from 'node:path'

export interface EntryPlace {
  /** As it stands in the file. */
  readonly text: string
  /** Of the first member, from 1; null when that is not known. */
  readonly line: number | null
  /** The text is not what stands in the file, only means the same. */
  readonly rewritten?: true
}

/** The line of a member, of the entry when the member is not written on a line of its own. */
export function lineOfMember({ text, line, rewritten }: EntryPlace, member: string): number | null {
  if (line === null || rewritten) return line
  const lines = text.split('\n')
  const first = lines.findIndex((one) => /^\s*[^\s#]/.test(one))
  const found = lines.findIndex((one) => one.replace(/^\s*(?:-\s+)?["']?/, '').startsWith(member) && isKey(one, member))
  return found < first ? line : line + found - first
}

const isKey = (line: string, member: string): boolean =>
  /^["']?\s*:/.test(line.slice(line.indexOf(member) + member.length))

/** ` (schedule.yaml:12)`, for the end of a line of the log. */
export function placeText(file: string, line: number | null): string {
  return ` (${basename(file)}${line === null ? '' : `:${line}`})`
}
