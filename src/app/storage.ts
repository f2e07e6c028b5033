/** `footman.db`, guarded: who is told when it is away, comes back, or is another one. */
import { createGroupWriter, type GroupWriter } from '../platform/group-commit.ts'
import { type FileDatabase, isDamage, isStorageTrouble } from '../platform/sqlite.ts'
import { StartError } from '../platform/start-error.ts'
import { openGuarded, type StorageGuard, type StorageState } from '../platform/storage/guard.ts'
import { salvage } from '../platform/storage/salvage.ts'
import { reasonOf, troubleOf, troubleText } from '../platform/storage/texts.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { MIGRATIONS } from './migrations.ts'

export interface StorageDeps {
  readonly log: Logger
  readonly clock: Clock
  /** `footman.db`, or `:memory:`. */
  readonly file: string
  /** The data directory may be another one than before; throws when it may not be used. */
  readonly claimDirectory: () => void
  /** It can be used again after it could not. */
  readonly onBack: () => void
  /** The same content stands in another file now. */
  readonly onMoved: () => void
  /** What is in it may be something else than before: builds everything anew. Null = nobody can. */
  readonly onOther: (() => void) | null
}

export interface Storage {
  readonly db: FileDatabase
  readonly writer: GroupWriter
  readonly guard: StorageGuard
  readonly service: Service
}

/** Throws a `StartError` when the file cannot be opened. */
export function buildStorage(deps: StorageDeps): Storage {
  const { log, clock, file } = deps
  let last: StorageState['state'] = 'up'
  const { db, guard } = opened(file, () =>
    openGuarded(
      {
        log,
        now: () => clock.now(),
        claimDirectory: deps.claimDirectory,
        onState({ state }) {
          if (last === 'down' && state !== 'down') deps.onBack()
          last = state
        },
        onReplaced: (how) => (how === 'rescued' ? deps.onMoved() : deps.onOther?.()),
      },
      {
        ...{ file, migrations: MIGRATIONS, synchronous: 'FULL', startsAnew: deps.onOther !== null },
        salvage: (damagedFile) => saved(damagedFile, file),
      },
    ),
  )
  const writer = createGroupWriter(db)
  return {
    ...{ db, writer, guard },
    service: {
      name: 'database',
      async start() {
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
