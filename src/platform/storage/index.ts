/** A guarded database with its writer; reports when it is usable again, and when it was replaced. */
import { errorText, StartError } from '../errors.ts'
import { type AfterCommit, createGroupWriter, type GroupWriter } from '../group-commit.ts'
import { type FileDatabase, isDamage, isStorageFailure, type Migration } from '../sqlite.ts'
import type { Clock, Logger, Service } from '../types.ts'
import { openGuarded, type StorageGuard } from './guard.ts'
import { salvage } from './salvage.ts'
import type { StorageState } from './states.ts'
import { failureKind, failureText } from './states.ts'

export interface StorageDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Called when the data directory may have been replaced; throws when it may not be used. */
  readonly claimDirectory: () => void
  /** The started storage is usable again after an outage. */
  readonly onBack: () => void
  /** The same content is in another file now. */
  readonly onMoved: () => void
  /** The content may be other than before: builds all services anew. Null = not possible. */
  readonly onOther: (() => void) | null
  /** See `createGroupWriter`. */
  readonly afterCommit?: AfterCommit
}

export interface StorageSettings {
  /** `:memory:` for commands that only list what the app offers. */
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
  const writer = createGroupWriter(db, deps.afterCommit)
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
    if (!isStorageFailure(error)) throw error
    const text = isDamage(error)
      ? `${file} is damaged and cannot be set aside: ${errorText(error)}`
      : failureText(failureKind(error), { file, detail: errorText(error) })
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
