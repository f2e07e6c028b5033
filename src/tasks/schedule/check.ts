/** What is wrong with a schedule file, found without starting anything. */
import { readFile } from 'node:fs/promises'
import { type FileEntry, lineOfMember, readDocument, ScheduleFileError } from './file.ts'
import type { Planner } from './plan.ts'
import { unknownMembers } from './plan.ts'

export interface ScheduleFinding {
  readonly severity: 'error' | 'warning'
  /** `butlerSchedule[2].cronSchedule`; empty when it is about the file. */
  readonly path: string
  readonly message: string
  readonly hint: string
  /** From 1; 0 when it is about the whole file. */
  readonly line: number
}

/** Errors are what the start tells as errors: the schedule, or all of them, cannot run. */
export async function checkScheduleFile(file: string, planner: Planner): Promise<ScheduleFinding[]> {
  try {
    const { entries } = readDocument(await readFile(file, 'utf8'))
    return [...checkIds(entries), ...entries.flatMap((entry, index) => checkEntry(entry, index, planner))]
  } catch (error) {
    return [brokenFile(error)]
  }
}

function brokenFile(error: unknown): ScheduleFinding {
  const told = { path: '', line: 0 }
  if (error instanceof ScheduleFileError) {
    const hint = 'no schedule runs until the file can be read'
    return {
      ...told,
      severity: 'error',
      message: `the schedule file cannot be used: ${error.reason}`,
      hint,
      line: error.line ?? 0,
    }
  }
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
    const message = 'the schedule file does not exist; there are no schedules'
    return {
      ...told,
      severity: 'warning',
      message,
      hint: 'check Butler.scheduler.configfile, or write an absolute path',
    }
  }
  const message = `the schedule file cannot be read: ${error instanceof Error ? error.message : String(error)}`
  return { ...told, severity: 'error', message, hint: 'check Butler.scheduler.configfile and the permissions' }
}

function checkIds(entries: readonly FileEntry[]): ScheduleFinding[] {
  const known = new Set<string>()
  return entries.flatMap((entry, index) => {
    const { id } = entry.values
    const given = typeof id === 'string' || typeof id === 'number' ? String(id) : ''
    if (given !== '' && !known.has(given)) {
      known.add(given)
      return []
    }
    const why = given === '' ? 'has no id' : `has the id ${given}, which stands twice`
    return [
      findingOf(entry, index, 'id', { severity: 'warning', message: why, hint: 'it gets a new one at the start' }),
    ]
  })
}

function checkEntry(entry: FileEntry, index: number, planner: Planner): ScheduleFinding[] {
  const planned = planner.plan(entry.values)
  const unknown = unknownMembers(entry.values).map(({ member, hint }) =>
    findingOf(entry, index, member, {
      severity: 'warning',
      message: `has the unknown member ${member}, ignored`,
      hint,
    }),
  )
  if (planned.ok) return unknown
  const { field, message } = planned.problem
  const text = `is not valid: ${message.replace(/^Invalid /, '')}`
  const hint = HINTS[field] ?? `correct ${field}; the schedule does not run as it is`
  return [findingOf(entry, index, field, { severity: 'error', message: text, hint }), ...unknown]
}

const HINTS: Readonly<Record<string, string>> = {
  cronSchedule: 'correct it, like 30 6 * * 1-5 (minute, hour, day, month, weekday); the schedule does not run as it is',
  timezone: 'write a zone of the IANA list, like Europe/Stockholm; the schedule does not run as it is',
}

function findingOf(
  entry: FileEntry,
  index: number,
  member: string,
  { message, ...more }: Pick<ScheduleFinding, 'severity' | 'message' | 'hint'>,
): ScheduleFinding {
  return {
    ...more,
    path: `butlerSchedule[${index}].${member}`,
    message: `schedule "${String(entry.values.name ?? '')}" ${message}`,
    line: lineOfMember(entry, member) ?? 0,
  }
}
