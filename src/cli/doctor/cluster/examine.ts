/** The examination of the shared database, step by step. */
import { postgresSettingsOf } from '../../../cluster/settings.ts'
import { type Connection, openConnection } from '../../../platform/postgres/connection.ts'
import { type PostgresError, postgresError } from '../../../platform/postgres/errors.ts'
import type { PostgresSettings } from '../../../platform/postgres/types.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { nodeName } from './examination.ts'
import { hostFinding } from './hosts.ts'
import { memberFindings } from './members.ts'
import { rightsFindings } from './rights.ts'
import {
  clockFindings,
  poolerFindings,
  standbyFindings,
  timingFindings,
  versionFindings,
  writeFindings,
} from './server.ts'

export async function examineCluster(context: DoctorContext): Promise<readonly Finding[]> {
  const section = context.config.footman.cluster
  const settings = postgresSettingsOf(section, { node: `${nodeName(context)} doctor`, paths: context.paths })
  const connectTimeoutMs = Math.min(settings.connectTimeoutMs, context.timeout)
  const opened = await Promise.all(settings.hosts.map((host) => openHost({ ...settings, connectTimeoutMs }, host)))
  const connections = opened.flatMap(({ connection }) => connection ?? [])
  try {
    const standbys = opened.filter(({ error }) => error?.fault === 'standby')
    const failed = opened.filter(({ error }) => error && error.fault !== 'standby')
    const findings = failed.flatMap(({ host, error }) => (error ? hostFinding(host, error, context) : []))
    const primary = opened.find(({ connection }) => connection !== null)
    if (primary?.connection) {
      const second = await openHost({ ...settings, connectTimeoutMs }, primary.host)
      return [...findings, ...(await examineServer(primary.connection, second, context))]
    }
    return standbys.length > 0
      ? [...findings, standbyOnly(standbys.map(({ host }) => `${host.host}:${host.port}`))]
      : findings
  } finally {
    await Promise.all(connections.map((connection) => connection.close()))
  }
}

type Host = PostgresSettings['hosts'][number]
type Opened =
  | { readonly host: Host; readonly connection: Connection; readonly error: null }
  | { readonly host: Host; readonly connection: null; readonly error: PostgresError }

async function openHost(settings: PostgresSettings, host: Host): Promise<Opened> {
  try {
    return { host, connection: await openConnection(settings, host, {}), error: null }
  } catch (error) {
    return { host, connection: null, error: postgresError(error, host.host) }
  }
}

function standbyOnly(hosts: readonly string[]): Finding {
  return {
    level: 'error',
    code: 'cluster.standby-only',
    target: hosts.join(', '),
    message: `${hosts.length === 1 ? 'is a standby' : 'are all standbys'}: nothing can be written there`,
    fix: 'name the primary in Butler.footman.cluster.hosts, or let a standby take over (pg_promote)',
    key: 'footman.cluster.hosts',
  }
}

async function examineServer(
  connection: Connection,
  second: Opened,
  context: DoctorContext,
): Promise<readonly Finding[]> {
  if (!second.connection) return [hostFinding(second.host, second.error, context)]
  try {
    const examination = { context, connection, second: second.connection }
    const version = await versionFindings(examination)
    const rights = await rightsFindings(examination)
    // Without them the tables cannot be read.
    const canRead = !rights.some(({ level }) => level === 'error')
    return [
      ...version,
      ...rights,
      ...(await poolerFindings(examination)),
      ...(await timingFindings(examination)),
      ...(await clockFindings(examination)),
      ...(canRead ? await memberFindings(examination) : []),
      ...(await standbyFindings(examination)),
      ...(canRead ? await writeFindings(examination) : []),
    ]
  } finally {
    await second.connection.close()
  }
}
