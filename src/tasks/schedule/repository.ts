/** The stored schedules, in memory and in their file: a change is written first and takes effect then. */

import { randomUUID } from 'node:crypto'
import { ForwardingError } from '../../cluster/types.ts'
import { errorText } from '../../platform/errors.ts'
import type { Logger } from '../../platform/types.ts'
import { changeEntry, placeText, type ScheduleDocument, type ScheduleFile, writeEntry } from './file.ts'
import { DocumentChangedError } from './shared-file.ts'
import type { ScheduleValues } from './types.ts'

/** The file holds something that cannot be read: it is not overwritten. */
export class FileBrokenError extends Error {
  override readonly name = 'FileBrokenError'
}

/** The file could not be written; nothing has changed. */
export class FileWriteError extends Error {
  override readonly name = 'FileWriteError'
}

export class UnknownScheduleError extends Error {
  override readonly name = 'UnknownScheduleError'
  constructor(readonly id: string) {
    super(`Schedule ID ${id} not found.`)
  }
}

/** The schedule cannot run as it stands. */
export class InvalidScheduleError extends Error {
  override readonly name = 'InvalidScheduleError'
  constructor(
    readonly field: string,
    message: string,
    readonly details?: string,
  ) {
    super(message)
  }
}

export interface StoredSchedule {
  /** Unique. */
  readonly id: string
  readonly values: ScheduleValues
  /** Its text in the file. */
  readonly text: string
  /** Its line when the file was read; null when that is not known any more. */
  readonly line: number | null
  readonly rewritten?: true
}

/** The entries while they are being changed. */
export interface Draft {
  entries(): readonly StoredSchedule[]
  add(values: ScheduleValues): void
  /** Undefined takes a member out. */
  change(id: string, changes: ScheduleValues): void
  remove(id: string): void
}

export interface ScheduleRepository {
  entries(): readonly StoredSchedule[]
  /** Why the file cannot be read; null when it can. */
  readonly failure: string | null
  /** There was no file at the last look. */
  readonly missing: boolean
  /** Reads the file when it has changed on disk. Never rejects. */
  refresh(): Promise<void>
  /**
   * Changes that come together are written together. Resolves when the file is on disk and what follows is recorded. Rejects
   * with a `FileBrokenError` or `FileWriteError`, or with the error of `work`, and nothing has changed then; with a
   * `ForwardingError` that says what is known.
   */
  change<T>(work: (draft: Draft) => T): Promise<T>
}

export interface RepositoryDeps {
  readonly file: ScheduleFile
  readonly log: Logger
  /** The entries have changed, here or in the file. Rejects when what follows from it cannot be recorded. */
  readonly onChange: (entries: readonly StoredSchedule[]) => Promise<void>
}

interface Job {
  readonly run: (draft: Draft) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Other nodes may change the schedules at the same time. */
const MOST_TRIES = 5

/** `readOnly`: the file belongs to another process; missing ids are not written. */
export function createScheduleRepository(
  { file, log, onChange }: RepositoryDeps,
  { readOnly }: { readonly readOnly: boolean },
): ScheduleRepository {
  let document: ScheduleDocument | null = null
  let entries: readonly StoredSchedule[] = []
  let failure: string | null = null
  let missing = false
  let jobs: Job[] = []
  /** Reading and writing take turns. */
  let turn: Promise<void> = Promise.resolve()

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work)
    return turn
  }

  function recovered(): void {
    if (failure !== null) log.info(`SCHEDULER: The schedule file ${file.path} can be read again`)
    failure = null
  }

  async function read(): Promise<void> {
    try {
      const found = await file.readIfChanged()
      if (!found && document) {
        recovered()
        return
      }
      if (!found) return
      if (found.missing) log.warn(`SCHEDULER: The schedule file ${file.path} does not exist; there are no schedules`)
      if (found.note !== null) log.warn(`SCHEDULER: The schedule file ${file.path} ${found.note}. Save it as UTF-8`)
      document = found.document
      missing = found.missing
      recovered()
      const changed = withIds(found.document)
      entries = changed.entries
      await onChange(entries).catch((error: unknown) => log.error(`SCHEDULER: ${notRecorded(error)}`))
      if (changed.missing.length > 0) await writeIds(changed.missing)
    } catch (error) {
      const reason = errorText(error)
      if (reason !== failure) log.error(`SCHEDULER: Failed loading schedules from file: ${file.path}: ${reason}`)
      failure = reason
    }
  }

  /** Ids are texts; an entry without one, or with one that another entry has, gets a new one. */
  function withIds(read: ScheduleDocument): { entries: StoredSchedule[]; missing: StoredSchedule[] } {
    const known = new Set<string>()
    const missing: StoredSchedule[] = []
    const all = read.entries.map(({ values, ...place }) => {
      const given = idOf(values)
      const isNew = given === '' || known.has(given)
      const id = isNew ? randomUUID() : given
      known.add(id)
      const entry = { id, values: { ...values, id }, ...place }
      if (!isNew) return entry
      missing.push(entry)
      const why = given === '' ? 'has no id' : `has the id ${given}, which stands twice`
      const where = placeText(file.path, place.line)
      log.warn(`SCHEDULER: The schedule "${String(values.name ?? '')}" ${why}; it gets the id ${id}${where}`)
      return entry
    })
    return { entries: all, missing }
  }

  async function writeIds(missing: readonly StoredSchedule[]): Promise<void> {
    if (readOnly || !document) return
    const ids = new Set(missing.map(({ id }) => id))
    const { indent } = document
    const changed = entries.map((entry) =>
      ids.has(entry.id) ? { ...entry, text: changeEntry(entry.text, indent, { id: entry.id }) } : entry,
    )
    await store(changed).catch((error: unknown) => log.warn(`SCHEDULER: The new ids could not be written: ${error}`))
  }

  async function store(changed: readonly StoredSchedule[]): Promise<void> {
    await file.write(document!.write(changed.map(({ text }) => text)))
    entries = changed
  }

  /** Writes all waiting changes at once. */
  async function flush(): Promise<void> {
    const batch = jobs
    jobs = []
    if (batch.length > 0) await carryOut(batch, MOST_TRIES)
  }

  async function carryOut(batch: readonly Job[], tries: number): Promise<void> {
    await read()
    if (failure !== null || !document) {
      for (const job of batch) job.reject(new FileBrokenError(failure ?? 'it was never read'))
      return
    }
    const { done, result } = apply(batch, entries, document.indent)
    if (done.length === 0) return
    try {
      if (result !== entries) await store(result)
    } catch (error) {
      // The other node's change is read before the next try.
      if (error instanceof DocumentChangedError && tries > 1) return carryOut(done, tries - 1)
      const reason = error instanceof ForwardingError ? error : new FileWriteError(String(error), { cause: error })
      for (const job of done) job.reject(reason)
      return
    }
    try {
      await onChange(entries)
      for (const job of done) job.resolve()
    } catch (error) {
      log.error(`SCHEDULER: ${notRecorded(error)}`)
      for (const job of done) job.reject(new ForwardingError('OUTCOME_UNKNOWN', SAVED + notRecorded(error)))
    }
  }

  return {
    entries: () => entries,
    get failure() {
      return failure
    },
    get missing() {
      return missing
    },
    refresh: () => inTurn(read),
    change: (work) =>
      new Promise((resolve, reject) => {
        let value: ReturnType<typeof work>
        jobs.push({
          run: (draft) => {
            value = work(draft)
          },
          resolve: () => resolve(value),
          reject,
        })
        void inTurn(flush)
      }),
  }
}

const SAVED = 'The change is in the schedule file and in effect; do not repeat it before you have read it. '
const notRecorded = (error: unknown): string =>
  `The state of schedules could not be recorded, firings that are missed now may not be made up: ${errorText(error)}`

/** The jobs one after the other; one that throws is rejected, and leaves nothing behind. */
function apply(batch: readonly Job[], before: readonly StoredSchedule[], indent: number) {
  const done: Job[] = []
  let current = before
  const at = (id: string): number => current.findIndex((entry) => entry.id === id)
  const draft: Draft = {
    entries: () => current,
    add(values) {
      current = [...current, { id: idOf(values), values, text: writeEntry(values, indent), line: null }]
    },
    change(id, changes) {
      current = current.with(at(id), changed(current[at(id)]!, indent, changes))
    },
    remove(id) {
      current = current.toSpliced(at(id), 1)
    },
  }
  for (const job of batch) {
    const kept = current
    try {
      job.run(draft)
      done.push(job)
    } catch (error) {
      current = kept
      job.reject(error)
    }
  }
  return { done, result: current }
}

function changed(entry: StoredSchedule, indent: number, changes: ScheduleValues): StoredSchedule {
  const values = Object.fromEntries(
    Object.entries({ ...entry.values, ...changes }).filter(([, value]) => value !== undefined),
  )
  return { id: entry.id, values, text: changeEntry(entry.text, indent, changes), line: null }
}

function idOf({ id }: ScheduleValues): string {
  return typeof id === 'string' || typeof id === 'number' ? String(id) : ''
}
