/** The databases of a data directory and their migrations. */
import { join } from 'node:path'
import { changeFeedMigrations, runFeedMigrations } from '../alerts/history/change-feed.ts'
import { decisionMigrations } from '../alerts/history/decisions.ts'
import { maintenanceMigrations } from '../alerts/maintenance-once.ts'
import { outboxMigrations } from '../alerts/outbox/migrations.ts'
import { alertRuleMigrations } from '../alerts/rules/migrations.ts'
import { cloudMigrations } from '../events/cloud/cloud-events.ts'
import { journalMigrations } from '../events/ingest/journal.ts'
import { eventMigrations } from '../events/migrations.ts'
import { fileMigrations } from '../files/jobs.ts'
import { auditMigrations } from '../http/audit.ts'
import { auditExportMigrations } from '../http/audit-export.ts'
import { keyUseMigrations } from '../http/auth/key-uses.ts'
import { sessionMigrations } from '../http/auth/sessions.ts'
import { keyValueMigrations } from '../kv/store.ts'
import { influxMigrations } from '../metrics/influxdb/points.ts'
import { selfAlertMigrations } from '../monitors/self-alerts/checker.ts'
import { monitorMigrations } from '../monitors/services/store.ts'
import { messageMigrations } from '../mqtt/index.ts'
import type { Migration } from '../platform/sqlite.ts'
import { storageMigrations } from '../platform/storage/note.ts'
import { type UpgradableDatabase, type UpgradeDeps, upgradeDatabases } from '../platform/upgrade.ts'
import { VERSION } from '../platform/version.ts'
import { reportMigrations } from '../reports/migrations.ts'
import { settingMigrations } from '../settings/store.ts'
import { historyMigrations } from '../tasks/executions/store.ts'
import { safetyNetMigrations } from '../tasks/safety-net/store.ts'
import { schedulerMigrations } from '../tasks/schedule/store.ts'
import { startMigrations } from '../tasks/start/index.ts'
import { attentionMigrations } from './attention/index.ts'

/** The tables of all features in `footman.db`, in the order of their creation. */
export const MIGRATIONS: readonly Migration[] = [
  ...eventMigrations,
  ...cloudMigrations,
  ...outboxMigrations,
  ...changeFeedMigrations,
  ...alertRuleMigrations,
  ...decisionMigrations,
  // Answers to start requests are among the messages.
  ...messageMigrations,
  ...startMigrations,
  ...historyMigrations,
  ...safetyNetMigrations,
  ...auditMigrations,
  ...keyValueMigrations,
  ...fileMigrations,
  ...schedulerMigrations,
  ...influxMigrations,
  ...selfAlertMigrations,
  ...monitorMigrations,
  ...reportMigrations,
  ...sessionMigrations,
  ...runFeedMigrations,
  ...attentionMigrations,
  ...maintenanceMigrations,
  ...auditExportMigrations,
  ...keyUseMigrations,
  ...settingMigrations,
]

/** The databases of a data directory, whether they exist or not. */
export function databasesOf(dataDirectory: string): readonly UpgradableDatabase[] {
  const database = (name: string, migrations: typeof MIGRATIONS) => ({
    name,
    file: join(dataDirectory, `${name}.db`),
    migrations: [...migrations, ...storageMigrations],
  })
  return [database('footman', MIGRATIONS), database('journal', journalMigrations)]
}

/** Directory of the copies that are made before a migration. */
export const backupDirectoryOf = (dataDirectory: string): string => join(dataDirectory, 'backup')

/** Migrates the databases; must run before they are opened, in the process that holds the lock. Throws a `StartError`. */
export function upgradeData(deps: UpgradeDeps, dataDirectory: string): void {
  upgradeDatabases(deps, {
    databases: databasesOf(dataDirectory),
    backupDirectory: backupDirectoryOf(dataDirectory),
    version: VERSION,
  })
}
