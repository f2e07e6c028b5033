/** The part of a node in its cluster, from the configuration; the code is loaded only where a cluster is configured. */
import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import type { Cluster, ClusterDeps } from '../cluster/index.ts'
import { postgresSettingsOf } from '../cluster/settings.ts'
import type { ConfigPaths } from '../config/paths.ts'
import { StartError } from '../platform/errors.ts'
import type { Logger } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { reportDirectory } from '../reports/directory.ts'
import { backupDirectoryOf, databasesOf } from './migrations.ts'
import type { Config } from './schema.ts'

export interface ClusterParts extends ClusterDeps {
  readonly paths: ConfigPaths
  /** The configuration in use: some settings change while Footman runs. */
  readonly live: () => Config
}

const MINUTE_MS = 60_000
/** Long enough to correct a password before alerts come from several nodes, and shorter than nodes know messages again. */
const REFUSED_MS = 5 * MINUTE_MS
/** The time of a configuration without de-duplication, which nodes cannot do without. */
const LEAST_DEDUP_MS = 10 * MINUTE_MS

/** Null on a node of its own. */
export async function buildCluster(deps: ClusterParts, config: Config, dataDirectory: string): Promise<Cluster | null> {
  const { footman, restServerConfig: rest } = config
  const { cluster: section, node } = footman
  if (!section.enable) return null
  const { createCluster } = await import('../cluster/index.ts')
  const name = node.name || hostname()
  const { deduplication } = config.udpServerConfig
  const live = () => deps.live().footman.cluster
  return createCluster(deps, {
    node: name,
    dataDirectory,
    reportDirectory: footman.reportTask.enable ? reportDirectory(footman.reportTask, deps.paths, dataDirectory) : null,
    version: VERSION,
    url: rest.enable ? `${rest.tls.enable ? 'https' : 'http'}://${hostname()}:${rest.serverPort}` : null,
    candidate: section.candidate && node.role === 'primary',
    reader: section.reader,
    postgres: postgresSettingsOf(section, { node: name, paths: deps.paths }),
    leaseMs: section.leaseDuration,
    aloneAfterMs: () => live().aloneAfter,
    refusedAfterMs: () => Math.max(live().aloneAfter, REFUSED_MS),
    whenDatabaseDown: () => live().whenDatabaseDown,
    dutiesWhenDatabaseDown: section.dutiesWhenDatabaseDown,
    commandTimeoutMs: () => live().commandTimeout,
    dedupTtlMs: deduplication.enable ? deduplication.ttlMinutes * MINUTE_MS : LEAST_DEDUP_MS,
    keepInboxMs: section.keepInbox,
    maxOpen: footman.delivery.maxBacklog,
    configHashes: latestHashes(deps.live),
  })
}

/** For `--cluster-reset`: nothing that nodes share is left in the store. Throws a `StartError` on a node of its own. */
export async function resetCluster(log: Logger, config: Config, dataDirectory: string): Promise<void> {
  if (!config.footman.cluster.enable) {
    const hint = 'Leave the option out, or set Butler.footman.cluster.enable: true'
    throw new StartError('--cluster-reset is for nodes of a cluster', { hint })
  }
  const store = databasesOf(dataDirectory).find(({ name }) => name === 'footman')!
  const { resetShared } = await import('../cluster/reset.ts')
  resetShared(log, { dataDirectory, store, backupDirectory: backupDirectoryOf(dataDirectory), version: VERSION })
}

function latestHashes(live: () => Config): () => Record<string, string> {
  let [config, hashes] = [live(), configHashes(live())]
  return () => {
    if (live() !== config) [config, hashes] = [live(), configHashes(live())]
    return hashes
  }
}

/** Hash by section that all nodes need alike, as the leader works by its own. */
export function configHashes(config: Config): Record<string, string> {
  const { footman, emailNotification, slackNotification, teamsNotification, webhookNotification, incidentTool } = config
  const { alertRoutes, destinations, maintenance, windows, calendars, taskPolicies, scheduler, retention } = footman
  const shared = {
    emailNotification,
    slackNotification,
    teamsNotification,
    webhookNotification,
    incidentTool,
    alertRoutes,
    destinations,
    maintenance,
    windows,
    calendars,
    taskPolicies,
    scheduler,
    retention,
    deduplication: config.udpServerConfig.deduplication,
    startTaskFilter: config.startTaskFilter,
    schedule: config.scheduler.enable,
    settingsKey: config.footman.settings.key,
  }
  const hash = (value: unknown) =>
    createHash('sha256')
      .update(JSON.stringify(value) ?? '')
      .digest('hex')
      .slice(0, 16)
  return Object.fromEntries(Object.entries(shared).map(([name, value]) => [name, hash(value)]))
}
