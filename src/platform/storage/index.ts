/** A guarded database with its writer; announces when it can be used again, and when it is another one. */
import { createGroupWriter, type GroupWriter } from '../group-commit.ts'
import { type FileDatabase, isDamage, isStorageTrouble, type Migration } from '../sqlite.ts'
import { StartError } from '../start-error.ts'
import type { Clock, Logger, Service } from '../types.ts'
import { openGuarded, type StorageGuard, type StorageState } from './guard.ts'
import { salvage } from './salvage.ts'
import { reasonOf, troubleOf, troubleText } from './texts.ts'

export interface StorageDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Called when the data directory may be another one than before; throws when it may not be used. */
  readonly claimDirectory: () => void
  /** The started storage can be used again after it could not. */
  readonly onBack: () => void
  /** The same content stands in another file now. */
  readonly onMoved: () => void
  /** What is in it may be something else than before: builds everything anew. Null = nobody can. */
  readonly onOther: (() => void) | null
}

export interface StorageSettings {
  /** `:memory:` for programs that only ask what there is. */
  readonly file: string
  readonly migrations: readonly Migration[]
}

export interface Storage {
  readonly db: FileDatabase
  readonly writer: GroupWriter
  readonly guard: StorageGuard
  readonly service: Service
}

/** Throws a `StartError` when the file cannot be opened. */
export function openStorage(deps: StorageDeps, { file, migrations }: StorageSettings): Storage {
  const { log, clock } = deps
  let isStarted = false
  let last: StorageState['state'] = 'up'
  const { db, guard } = opened(file, () =>
    openGuarded(
      {
        log,
        now: () => clock.now(),
        claimDirectory: deps.claimDirectory,
        onState({ state }) {
          if (isStarted && last === 'down' && state !== 'down') deps.onBack()
          last = state
        },
        onReplaced: (how) => (how === 'rescued' ? deps.onMoved() : deps.onOther?.()),
      },
      {
        file,
        migrations,
        synchronous: 'FULL',
        startsAnew: deps.onOther !== null,
        salvage: (damagedFile) => saved(damagedFile, file),
      },
    ),
  )
  const writer = createGroupWriter(db)
  return {
    db,
    writer,
    guard,
    service: {
      name: 'database',
      async start() {
        isStarted = true
        guard.start()
      },
      async stop() {
        await writer.flush().catch(() => undefined)
        guard.stop()
        db.close()
      },
    },
  }
}

function opened<T>(file: string, open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (!isStorageTrouble(error)) throw error
    const text = isDamage(error)
      ? `${file} is damaged and cannot be set aside: ${reasonOf(error)}`
      : troubleText(troubleOf(error), { file, detail: reasonOf(error) })
    throw new StartError(text, { cause: error })
  }
}

const NAMED = 5

function saved(damagedFile: string, file: string): string {
  const { rows, incomplete } = salvage(damagedFile, file)
  if (rows === 0 && incomplete.length > 0) return 'nothing in the old one could be read'
  if (incomplete.length === 0) return `all its ${rows} rows were taken over`
  const names = incomplete.slice(0, NAMED).join(', ')
  const more = incomplete.length > NAMED ? ` and ${incomplete.length - NAMED} more` : ''
  return `${rows} rows were taken over, of ${names}${more} not all could be read`
}
