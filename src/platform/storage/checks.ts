/** Small proofs about an open database. */
import { createPrivateFile } from '../private-file.ts'
import type { Database, Migration } from '../sqlite.ts'
import { inspectDatabase } from '../upgrade/inspect.ts'
import { removeDatabase } from './files.ts'
import { NewerDatabaseError } from './texts.ts'

/** Writes the page that holds the number of a version, as it is; throws what SQLite says when that cannot be done. */
export function proveWrite(db: Database): void {
  const { user_version } = db.get<{ user_version: number }>('PRAGMA user_version') ?? { user_version: 0 }
  db.transaction(() => db.exec(`PRAGMA user_version = ${user_version}`))
}

/** Reads all of it: a second for each gigabyte, or some. */
export const isSound = (db: Database): boolean =>
  db.get<{ quick_check: string }>('PRAGMA quick_check(1)')?.quick_check === 'ok'

/** The same; true also where the check itself has met the damage, as that has been dealt with then. */
export function seemsSound(db: Database): boolean {
  try {
    return isSound(db)
  } catch {
    return true
  }
}

/** Throws a `NewerDatabaseError` for a file that has changes which are not among these. Changes nothing. */
export function refuseNewer(file: string, migrations: readonly Migration[]): void {
  const found = inspectDatabase(file)
  const known = new Set(migrations.map(({ name }) => name))
  if (found?.applied.every((name) => known.has(name)) ?? true) return
  throw new NewerDatabaseError(found?.writer ? `Footman ${found.writer}` : 'a newer Footman')
}

/** Writes all that the open database holds to a new file, where its own one used to be. */
export function copyTo(db: Database, file: string): void {
  removeDatabase(file)
  try {
    createPrivateFile(file)
    db.exec(`VACUUM INTO '${file.replaceAll("'", "''")}'`)
  } catch (error) {
    removeDatabase(file)
    throw error
  }
}
