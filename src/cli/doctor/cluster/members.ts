/** The tables of the cluster, and the nodes in them. */
import { configHashes } from '../../../app/cluster.ts'
import { lacksOf } from '../../../cluster/fitness.ts'
import { storedIdentity } from '../../../cluster/identity.ts'
import { PROTOCOL, pendingMigrations } from '../../../cluster/migrations.ts'
import {
  CLONE_HINT,
  cloneOf,
  differingSections,
  isNameTaken,
  type NodeList,
  readNodes,
} from '../../../cluster/nodes.ts'
import { NODE_LOST_MS, type NodeInfo } from '../../../cluster/types.ts'
import type { Finding } from '../types.ts'
import { type Examination, nodeName } from './examination.ts'
import { clockFinding } from './server.ts'

const MIXED_MS = 24 * 3_600_000
const SKEW_MS = 2000
/** For a data directory that has no identity yet: none has this one. */
const NO_ID = '00000000-0000-0000-0000-000000000000'

const STATE = `SELECT id, min_protocol AS least, (SELECT rev FROM head) AS head,
    (SELECT CASE WHEN expires_at > clock_timestamp() THEN node ELSE '' END FROM lease WHERE duty = 'leader') AS leader,
    (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now, current_setting('server_version') AS version
  FROM cluster_info`

interface State {
  readonly id: string
  readonly least: number
  readonly head: number
  /** '' = none. */
  readonly leader: string
  /** By the database's clock, milliseconds since 1970. */
  readonly now: number
  readonly version: string
}

export async function memberFindings(examination: Examination): Promise<readonly Finding[]> {
  const { connection } = examination
  const [state] = (await pendingMigrations(connection)).length === 0 ? await connection.query<State>(STATE) : []
  if (!state) {
    const message = 'can be used; the tables of this version are not there yet, the first node that starts makes them'
    return [{ level: 'ok', code: 'cluster.order', target: connection.host, message }]
  }
  const list = await readNodes(connection)
  const alive = list.nodes.filter(({ seenAt }) => seenAt > state.now - NODE_LOST_MS)
  return [
    ...(await identityFindings(examination, state)),
    ...nodeFindings(list.nodes, alive, nodeName(examination.context)),
    ...versionsMixed(alive, state),
    ...configFindings(examination, alive, state),
    order(connection.host, list, alive, state),
  ]
}

async function identityFindings({ context, connection }: Examination, state: State): Promise<readonly Finding[]> {
  const { config, paths } = context
  const identity = storedIdentity(paths.data(config.footman.dataDirectory))
  const target = connection.host
  const findings: Finding[] = []
  if (identity?.clusterId && identity.clusterId !== state.id) {
    const message = `holds the cluster ${state.id}, but the data of this node belongs to ${identity.clusterId}`
    const fix = 'correct hosts, database or schema in Butler.footman.cluster, or give the node an empty data directory'
    findings.push({ level: 'error', code: 'cluster.foreign', target, message, fix, key: 'footman.cluster.database' })
  }
  const name = nodeName(context)
  if (await isNameTaken(connection, name, identity?.dataId ?? NO_ID)) {
    const message = `another node of the cluster is called "${name}"`
    const fix = 'set Butler.footman.node.name to a name of its own'
    findings.push({ level: 'error', code: 'cluster.name-in-use', target: name, message, fix, key: 'footman.node.name' })
  }
  const original = identity && (await cloneOf(connection, name, identity.dataId))
  if (original) {
    const message = `its data directory is a copy of that of node "${original}", which works`
    findings.push({ level: 'error', code: 'cluster.clone', target: name, message, fix: CLONE_HINT })
  }
  if (state.least > PROTOCOL) {
    const message = `the cluster needs protocol ${state.least}, this version speaks ${PROTOCOL}`
    const fix = 'copy the executable of the other nodes to this one'
    findings.push({ level: 'error', code: 'cluster.protocol', target, message, fix })
  }
  return findings
}

function nodeFindings(nodes: readonly NodeInfo[], alive: readonly NodeInfo[], own: string): readonly Finding[] {
  const lost = nodes.filter((node) => !alive.includes(node) && node.mode !== 'leaving')
  const skewed = alive.filter(({ name, clockOffsetMs }) => name !== own && Math.abs(clockOffsetMs) > SKEW_MS)
  return [
    ...lost.map(({ name, seenAt }): Finding => {
      const message = `has given no sign of life since ${new Date(seenAt).toISOString()}`
      const fix = `start it, or take it off the list: footman cluster remove ${name}`
      return { level: 'warning', code: 'cluster.node-lost', target: name, message, fix }
    }),
    ...alive.flatMap(({ name, health }) =>
      Object.values(lacksOf(health)).map((lack): Finding => {
        const fix = 'repair it on that node; another one leads until then'
        return { level: 'error', code: 'cluster.node-unfit', target: name, message: `cannot lead: ${lack}`, fix }
      }),
    ),
    ...skewed.map(({ name, clockOffsetMs }) => clockFinding(name, clockOffsetMs)),
  ]
}

/** Side by side for an upgrade is what versions are made for, but not for days. */
function versionsMixed(alive: readonly NodeInfo[], { now }: State): readonly Finding[] {
  const versions = new Map<string, number>()
  for (const { version, startedAt } of alive) versions.set(version, Math.min(versions.get(version) ?? now, startedAt))
  if (versions.size < 2) return []
  // Mixed since the youngest of the versions has its first node.
  const since = Math.max(...versions.values())
  if (now - since < MIXED_MS) return []
  const target = alive.map(({ name, version }) => `${name} ${version}`).join(', ')
  const message = `different versions since ${new Date(since).toISOString()}`
  return [{ level: 'warning', code: 'cluster.versions-mixed', target, message, fix: 'finish the upgrade' }]
}

/** This file counts for its node, as the running one may not have read it yet. */
function configFindings({ context }: Examination, alive: readonly NodeInfo[], { leader }: State): readonly Finding[] {
  const own = nodeName(context)
  const config = configHashes(context.config)
  const others = alive.filter(({ name }) => name !== own)
  const running = alive.find(({ name }) => name === own)
  const [any] = others
  if (!any) return []
  const differing = differingSections([...others, { ...(running ?? any), name: own, config }], leader)
  const sections = Object.entries(differing)
  if (sections.length === 0) return []
  const message = sections.map(([section, nodes]) => `${section} (${nodes.join(', ')})`).join(', ')
  return [
    {
      level: 'warning',
      code: 'cluster.config-differs',
      target: leader === '' ? any.name : leader,
      message: `other nodes have other settings: ${message}`,
      fix: 'make them equal: the leader works by its own configuration, and any node may lead',
    },
  ]
}

function order(target: string, { leaderships }: NodeList, alive: readonly NodeInfo[], state: State): Finding {
  const [last] = leaderships
  const since = last ? ` since ${new Date(last.from).toISOString()}` : ''
  const leader = state.leader === '' ? 'no leader' : `leader ${state.leader}${since}`
  const nodes = alive.map(({ name, mode }) => `${name} (${mode})`).join(', ') || 'no nodes'
  const lag = Math.max(0, ...alive.map(({ appliedRev, mode }) => (mode === 'leader' ? 0 : state.head - appliedRev)))
  const message = `PostgreSQL ${state.version}, ${leader}; ${nodes}; followers are at most ${lag} changes behind`
  return { level: 'ok', code: 'cluster.order', target, message }
}
