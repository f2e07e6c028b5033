/**
 * The schedule file of a node in a cluster. Its text is a document that all nodes share: a change of the file by hand is stored
 * there, and the file is replaced when another node has changed the document.
 */

import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Documents, ForwardingError, type SharedDocument } from '../../cluster/types.ts'
import { errorText } from '../../platform/errors.ts'
import { createFileAtomic, writeFileAtomic } from '../../platform/files.ts'
import { ownJson } from '../../platform/json.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import { readDocument, type ScheduleFile, ScheduleFileError, scheduleText } from './file.ts'

/** The document was changed by another node since it was read; nothing has changed. */
export class DocumentChangedError extends Error {
  override readonly name = 'DocumentChangedError'
  constructor() {
    super('another node has changed the schedules at the same time')
  }
}

/** The name of the document. */
export const SCHEDULE_DOCUMENT = 'schedule.yaml'

export interface SharedFileDeps {
  readonly file: ScheduleFile
  readonly documents: Documents
  /** Holds the table `meta`. */
  readonly db: Database
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onConflict: (text: string) => void
}

/** The document that the file was equal to. */
interface Base {
  readonly rev: number
  readonly sha256: string
}

const NOTHING: Base = { rev: 0, sha256: '' }
const META_KEY = `document.${SCHEDULE_DOCUMENT}`
/** SQLSTATE of PostgreSQL. */
const UNDEFINED_TABLE = '42P01'

export function createSharedScheduleFile(deps: SharedFileDeps): ScheduleFile {
  const { file, documents, db, log, now } = deps
  const { path } = file
  let base = storedBase(db)
  /** The document could be compared with the file at the last look. */
  let isReachable = false
  let isComplaining = false

  function remember(rev: number, text: string): void {
    base = { rev, sha256: hashOf(text) }
    db.run(
      'INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      META_KEY,
      JSON.stringify(base),
    )
  }

  async function sync(): Promise<void> {
    const text = await textOf(path)
    const shared = await documents.read(SCHEDULE_DOCUMENT)
    // The reading that follows says why it cannot be used.
    if (text === undefined) return
    if (shared === null) {
      if (text !== null && isReadable(text)) await offer(text, 0)
      return
    }
    const content = textIn(shared)
    if (text === content) return remember(shared.rev, content)
    if (text === null || hashOf(text) === base.sha256) return take(shared.rev, content)
    // The reading that follows says why it cannot be used.
    if (!isReadable(text)) return
    if (shared.rev !== base.rev || !(await offer(text, base.rev))) await settleConflict(text)
  }

  /** False when another node was faster. */
  async function offer(text: string, basedOn: number): Promise<boolean> {
    const isStored = await documents.write(SCHEDULE_DOCUMENT, Buffer.from(text), basedOn, `file ${path}`)
    if (isStored) remember(basedOn + 1, text)
    return isStored
  }

  /** Past `file`, which then reads it as a change by hand. */
  async function take(rev: number, content: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    await writeFileAtomic(path, content)
    remember(rev, content)
  }

  /** Two nodes have changed the text: that of this one is kept beside the file. */
  async function settleConflict(text: string): Promise<void> {
    const shared = await documents.read(SCHEDULE_DOCUMENT)
    if (shared === null) return
    const kept = `${path}.conflict-${new Date(now()).toISOString().replace(/\.\d+/, '').replaceAll(':', '')}`
    // It exists when the file could not be replaced after it.
    await createFileAtomic(kept, text).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const content = textIn(shared)
    await take(shared.rev, content)
    const lost = namesMissing(text, content)
    const only = lost.length === 0 ? '' : `. Only there: ${lost.join(', ')}`
    const happened = `${path} was changed here, and node ${shared.node} was faster. The text of this node is in ${kept}${only}`
    log.error(`SCHEDULER: SCHEDULE_CONFLICT: ${happened}`)
    deps.onConflict(`${happened}.`)
  }

  async function compare(): Promise<void> {
    try {
      await sync()
      if (isComplaining) log.info('SCHEDULER: The schedule file is compared with that of the cluster again')
      isReachable = true
      isComplaining = false
    } catch (error) {
      isReachable = false
      // The first node makes the tables a moment later.
      if (isComplaining || (error as { readonly code?: unknown }).code === UNDEFINED_TABLE) return
      log.warn(`SCHEDULER: The schedule file cannot be compared with that of the cluster: ${errorText(error)}`)
      isComplaining = true
    }
  }

  return {
    path,
    async readIfChanged() {
      await compare()
      return file.readIfChanged()
    },
    async write(text) {
      if (!isReachable) throw new ForwardingError('CLUSTER_UNAVAILABLE', UNAVAILABLE)
      const isStored = await offer(text, base.rev).catch((error: unknown) => {
        throw new ForwardingError('OUTCOME_UNKNOWN', `The schedules may have been changed: ${errorText(error)}`)
      })
      if (!isStored) throw new DocumentChangedError()
      await file.write(text)
    },
  }
}

const UNAVAILABLE = 'The database of the cluster cannot be used by this node. Nothing was done; repeat the call'

function storedBase(db: Database): Base {
  const row = db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', META_KEY)
  return row ? ownJson<Base>(row.value) : NOTHING
}

/** Null when there is no file, undefined when its bytes are no text. */
async function textOf(path: string): Promise<string | null | undefined> {
  try {
    return scheduleText(await readFile(path)).text
  } catch (error) {
    if (error instanceof ScheduleFileError) return undefined
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

const textIn = ({ content }: SharedDocument): string => Buffer.from(content).toString('utf8')
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

function isReadable(text: string): boolean {
  try {
    readDocument(text)
    return true
  } catch {
    return false
  }
}

/** Names of the schedules that stand in the first text only. */
function namesMissing(text: string, shared: string): string[] {
  const there = new Set(schedulesIn(shared).map(({ id }) => id))
  return schedulesIn(text).flatMap(({ id, name }) => (there.has(id) ? [] : [`"${name}"`]))
}

function schedulesIn(text: string): { readonly id: string; readonly name: string }[] {
  if (!isReadable(text)) return []
  return readDocument(text).entries.map(({ values }) => ({
    id: String(values.id ?? ''),
    name: String(values.name ?? ''),
  }))
}
