/** The schedules of the file, in memory and on disk: changes are written first, and count then. */
import { randomUUID } from 'node:crypto'
import type { Logger } from '../../platform/types.ts'
import { FileBrokenError, FileWriteError } from './errors.ts'
import { changeEntry, placeText, type ScheduleDocument, type ScheduleFile, writeEntry } from './file.ts'
import type { ScheduleValues } from './types.ts'

export interface BookEntry {
  /** Unique. */
  readonly id: string
  readonly values: ScheduleValues
  /** As it stands in the file. */
  readonly text: string
  /** Where it stood when the file was read; null when that is not known any more. */
  readonly line: number | null
  readonly rewritten?: true
}

/** The entries while they are being changed. */
export interface Draft {
  entries(): readonly BookEntry[]
  add(values: ScheduleValues): void
  /** Undefined takes a member out. */
  change(id: string, changes: ScheduleValues): void
  remove(id: string): void
}

export interface Book {
  entries(): readonly BookEntry[]
  /** Null when the file could be read. */
  readonly trouble: string | null
  /** There was no file when it was looked for. */
  readonly missing: boolean
  /** Reads the file when somebody has changed it. Never rejects. */
  refresh(): Promise<void>
  /**
   * Changes that come together are written together. Resolves when the file is on disk. Rejects with a
   * `FileBrokenError` or `FileWriteError`, and with what `work` throws; nothing has changed then.
   */
  change<T>(work: (draft: Draft) => T): Promise<T>
}

export interface BookDeps {
  readonly file: ScheduleFile
  readonly log: Logger
  /** The entries have changed, here or by another hand. */
  readonly onChange: (entries: readonly BookEntry[]) => void
}

interface Job {
  readonly run: (draft: Draft) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** `readOnly`: the file is another's, ids that are missing are not written. */
export function createBook({ file, log, onChange }: BookDeps, { readOnly }: { readonly readOnly: boolean }): Book {
  let document: ScheduleDocument | null = null
  let entries: readonly BookEntry[] = []
  let trouble: string | null = null
  let missing = false
  let jobs: Job[] = []
  /** Reading and writing take turns. */
  let turn: Promise<void> = Promise.resolve()

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work)
    return turn
  }

  function recovered(): void {
    if (trouble !== null) log.info(`SCHEDULER: The schedule file ${file.path} can be read again`)
    trouble = null
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
      document = found.document
      missing = found.missing
      recovered()
      const changed = withIds(found.document)
      entries = changed.entries
      onChange(entries)
      if (changed.missing.length > 0) await writeIds(changed.missing)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (reason !== trouble) log.error(`SCHEDULER: Failed loading schedules from file: ${file.path}: ${reason}`)
      trouble = reason
    }
  }

  /** Ids are texts; what has none, or one that stands twice, gets a new one. */
  function withIds(read: ScheduleDocument): { entries: BookEntry[]; missing: BookEntry[] } {
    const known = new Set<string>()
    const missing: BookEntry[] = []
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

  async function writeIds(missing: readonly BookEntry[]): Promise<void> {
    if (readOnly || !document) return
    const ids = new Set(missing.map(({ id }) => id))
    const { indent } = document
    const changed = entries.map((entry) =>
      ids.has(entry.id) ? { ...entry, text: changeEntry(entry.text, indent, { id: entry.id }) } : entry,
    )
    await store(changed).catch((error: unknown) => log.warn(`SCHEDULER: The new ids could not be written: ${error}`))
  }

  async function store(changed: readonly BookEntry[]): Promise<void> {
    await file.write(document!.write(changed.map(({ text }) => text)))
    entries = changed
  }

  /** All that waits, in one writing. */
  async function flush(): Promise<void> {
    const batch = jobs
    jobs = []
    if (batch.length === 0) return
    await read()
    if (trouble !== null || !document) {
      for (const job of batch) job.reject(new FileBrokenError(trouble ?? 'it was never read'))
      return
    }
    const { done, result } = apply(batch, entries, document.indent)
    if (done.length === 0) return
    try {
      if (result !== entries) await store(result)
    } catch (error) {
      for (const job of done) job.reject(new FileWriteError(String(error), { cause: error }))
      return
    }
    onChange(entries)
    for (const job of done) job.resolve()
  }

  return {
    entries: () => entries,
    get trouble() {
      return trouble
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

/** The jobs one after the other; one that throws is rejected, and leaves nothing behind. */
function apply(batch: readonly Job[], before: readonly BookEntry[], indent: number) {
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

function changed(entry: BookEntry, indent: number, changes: ScheduleValues): BookEntry {
  const values = Object.fromEntries(
    Object.entries({ ...entry.values, ...changes }).filter(([, value]) => value !== undefined),
  )
  return { id: entry.id, values, text: changeEntry(entry.text, indent, changes), line: null }
}

function idOf({ id }: ScheduleValues): string {
  return typeof id === 'string' || typeof id === 'number' ? String(id) : ''
}
