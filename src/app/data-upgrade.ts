/** The databases of a data directory, brought to the layout of this Footman. */
import { join } from 'node:path'
import { journalMigrations } from '../events/ingest/journal.ts'
import { storageMigrations } from '../platform/storage/note.ts'
import { type UpgradableDatabase, type UpgradeDeps, upgradeDatabases } from '../platform/upgrade.ts'
import { VERSION } from '../platform/version.ts'
import { MIGRATIONS } from './migrations.ts'

/** All of them, whether they exist or not. */
export function databasesOf(dataDirectory: string): readonly UpgradableDatabase[] {
  const database = (name: string, migrations: typeof MIGRATIONS) => ({
    name,
    file: join(dataDirectory, `${name}.db`),
    migrations: [...migrations, ...storageMigrations],
  })
  return [database('footman', MIGRATIONS), database('journal', journalMigrations)]
}

/** Where they are saved before they are changed. */
export const backupDirectoryOf = (dataDirectory: string): string => join(dataDirectory, 'backup')

/** To be called before they are opened, by the process that holds the directory. Throws a `StartError`. */
export function upgradeData(deps: UpgradeDeps, dataDirectory: string): void {
  upgradeDatabases(deps, {
    databases: databasesOf(dataDirectory),
    backupDirectory: backupDirectoryOf(dataDirectory),
    version: VERSION,
  })
}
