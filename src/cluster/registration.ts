/** A node's place in its cluster: the tables of the database, its name among the nodes, and what its data directory keeps of both. */
import { StartError } from '../platform/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import type { Logger } from '../platform/types.ts'
import type { ClusterClock } from './clock.ts'
import { type ClusterIdentity, storeIdentity } from './identity.ts'
import { migrateCluster } from './migrations.ts'
import type { NodeState, Nodes } from './nodes.ts'
import type { State } from './part.ts'
import { viewNamesOf } from './settings.ts'
import { admitReader, migrationsOf } from './views.ts'

interface RegistrationDeps {
  readonly log: Logger
  readonly clock: Pick<ClusterClock, 'offsetMs'>
  readonly pool: PostgresPool
  readonly nodes: Pick<Nodes, 'register'>
  /** The state of the database that this node knows. */
  readonly known: () => Pick<State, 'hasJoined' | 'forgotten' | 'timeline' | 'history'>
  readonly stateOfNode: () => NodeState
}

interface RegistrationSettings {
  readonly dataDirectory: string
  readonly version: string
  /** Role that may read the views; '' = none. */
  readonly reader: string
  readonly postgres: { readonly schema: string }
}

export function createRegistration(
  { log, clock, pool, nodes, known, stateOfNode }: RegistrationDeps,
  { dataDirectory, version, reader, postgres }: RegistrationSettings,
  before: ClusterIdentity,
) {
  let identity = before
  let isPrepared = false
  let isDone = false
  let isWaiting = false

  function save(): void {
    const { hasJoined, forgotten, timeline, history } = known()
    // Only when all that the database has forgotten is in it again.
    const followed = hasJoined && !forgotten ? { timeline, history } : {}
    identity = { ...identity, clockOffsetMs: clock.offsetMs, ...followed }
    storeIdentity(dataDirectory, identity)
  }

  /** The tables are there, and belong to the cluster of this node. */
  async function prepare(): Promise<void> {
    const views = viewNamesOf({ schema: postgres.schema, reader })
    const { clusterId } = await migrateCluster(pool, version, migrationsOf(views))
    if (identity.clusterId !== null && identity.clusterId !== clusterId) {
      throw new StartError(`The database at ${pool.host} is that of another cluster (${clusterId})`, {
        hint: `This node belongs to ${identity.clusterId}. Check Butler.footman.cluster.hosts, database and schema`,
      })
    }
    identity = { ...identity, clusterId }
    await admitReader(pool, views, log)
    isPrepared = true
  }

  return {
    get isDone() {
      return isDone
    },
    get clusterId() {
      return identity.clusterId
    },
    save,
    /** Whether another process may still live under the name of this one. */
    get isWaiting() {
      return isWaiting
    },
    /**
     * From the first answer of the database until it resolves with true: the node takes no part before. Rejects with a
     * `StartError` when this node must not go on.
     */
    async run(): Promise<boolean> {
      if (!isPrepared) await prepare()
      isDone = await nodes.register(stateOfNode())
      if (isDone) save()
      else if (!isWaiting) log.info('CLUSTER A process worked as this node a moment ago; waiting until it has ended')
      isWaiting = !isDone
      return isDone
    },
  }
}
