/** The tables of all features in `footman.db`, in the order in which they are made. */
import { changeFeedMigrations } from '../alerts/history/change-feed.ts'
import { outboxMigrations } from '../alerts/outbox/migrations.ts'
import { alertRouteMigrations } from '../alerts/routes/migrations.ts'
import { cloudMigrations } from '../events/cloud/inbox.ts'
import { eventMigrations } from '../events/migrations.ts'
import { fileMigrations } from '../files/store.ts'
import { auditMigrations } from '../http/audit/audit.ts'
import { keyValueMigrations } from '../kv/migrations.ts'
import { influxMigrations } from '../metrics/influxdb/points.ts'
import { selfAlertMigrations } from '../monitors/self-alerts/store.ts'
import { monitorMigrations } from '../monitors/services/store.ts'
import type { Migration } from '../platform/sqlite.ts'
import { historyMigrations } from '../tasks/executions/migrations.ts'
import { safetyNetMigrations } from '../tasks/safety-net/migrations.ts'
import { schedulerMigrations } from '../tasks/schedule/migrations.ts'
import { startMigrations } from '../tasks/start/index.ts'
import { messageMigrations } from './messages.ts'

export const MIGRATIONS: readonly Migration[] = [
  ...eventMigrations,
  ...cloudMigrations,
  ...outboxMigrations,
  ...changeFeedMigrations,
  ...alertRouteMigrations,
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
