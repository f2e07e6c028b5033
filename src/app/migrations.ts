/** The tables of all features in `footman.db`, in the order in which they are made. */
import { alertJournalMigrations } from '../alerts/journal/migrations.ts'
import { outboxMigrations } from '../alerts/outbox/migrations.ts'
import { alertRuleMigrations } from '../alerts/rules/migrations.ts'
import { cloudMigrations } from '../events/cloud/cloud-events.ts'
import { eventMigrations } from '../events/migrations.ts'
import { fileMigrations } from '../files/jobs.ts'
import { auditMigrations } from '../http/audit/audit.ts'
import { keyValueMigrations } from '../kv/store.ts'
import { influxMigrations } from '../metrics/influxdb/points.ts'
import { selfAlertMigrations } from '../monitors/self-alerts/checker.ts'
import { monitorMigrations } from '../monitors/services/store.ts'
import type { Migration } from '../platform/sqlite.ts'
import { historyMigrations } from '../tasks/executions/store.ts'
import { safetyNetMigrations } from '../tasks/safety-net/store.ts'
import { schedulerMigrations } from '../tasks/schedule/store.ts'
import { startMigrations } from '../tasks/start/index.ts'
import { messageMigrations } from './messages.ts'

export const MIGRATIONS: readonly Migration[] = [
  ...eventMigrations,
  ...cloudMigrations,
  ...outboxMigrations,
  ...alertJournalMigrations,
  ...alertRuleMigrations,
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
]
