/** Several nodes, one PostgreSQL, one Qlik Sense site and receivers that count. */
import { mkdirSync } from 'node:fs'
import { type LargeSite, startLargeSite } from '../../bench/large-site-process.ts'
import type { Host } from '../host.ts'
import { type Postgres, type PostgresOptions, startPostgres } from '../postgres.ts'
import { copyCertificates, serverCertificate } from '../site-certificates.ts'
import { fastParent, type TempDirectory, tempDirectory } from '../temp.ts'
import { until } from '../wait.ts'
import { ANSWER_MS, type CountingSink, startCountingMailbox, startCountingWebhook } from './counting-sinks.ts'
import { sendDatagrams } from './datagrams.ts'
import { type Ledger, ledger, ledgerLine } from './ledger.ts'
import { type ClusterNode, clusterNode, modeOf, type Tree } from './node.ts'

export interface ClusterSettings {
  /** Default 3. */
  readonly nodes?: number
  /** Below `Butler.footman.cluster`, the same for all. */
  readonly cluster?: Tree
  /** Below `Butler`, `footman` merged. */
  readonly butler?: Tree
  readonly postgres?: PostgresOptions
  /** A second server that follows the first; nodes know both. */
  readonly standby?: boolean
  /** Seconds by which the wall clocks of the nodes are ahead, in their order. */
  readonly clockShifts?: readonly number[]
  /** The monotonic clocks of the nodes can stand still: `holdClock`. */
  readonly clocksCanStop?: boolean
  /** The number of tasks of the site; absent = 500. */
  readonly tasks?: number
  /** On which the nodes run; absent = the compiled executable. */
  readonly host?: Host
  /** Default true; false = `start` of the nodes is up to the test. */
  readonly start?: boolean
}

export interface TestCluster extends AsyncDisposable {
  readonly nodes: readonly ClusterNode[]
  readonly postgres: Postgres
  /** Null without `standby`. */
  readonly standby: Postgres | null
  readonly sinks: { readonly hook: CountingSink; readonly mail: CountingSink }
  readonly site: LargeSite
  readonly directory: TempDirectory
  /** The server that takes writes now. */
  database: Postgres
  /** The node that holds the lease by the database; null while it is free. */
  leader(): Promise<ClusterNode | null>
  /** Resolves when a node leads, another than `not` when given, and its process says so too. */
  untilLed(options?: { readonly not?: ClusterNode; readonly timeout?: number }): Promise<ClusterNode>
  /** Resolves when all running nodes are followers of one leader. */
  untilJoined(timeout?: number): Promise<void>
  /** Ends all faults: every server and node runs, reaches the others and has joined. */
  recover(): Promise<void>
  /** Mode that a node shows in its own list of nodes; null when it does not answer. */
  modeOf(node: ClusterNode): Promise<string | null>
  /** A new check begins: ledgers are about what is sent from now on. */
  begin(): Promise<void>
  /** Sends failures of further executions; by default to all nodes. Resolves with their numbers when all is sent. */
  send(request: SendSettings): Promise<readonly number[]>
  /** Executions of this check in the journals of all nodes, those of lost disks included. */
  accepted(): Set<number>
  /** Leaders that have begun since the check did. */
  takeovers(): Promise<number>
  /**
   * Deletes the data of a node that has ended; resolves with what it had accepted, which ledgers still count unless
   * `forgotten`. Its name is free at once, for which a new node would otherwise wait 30 s.
   */
  loseDisk(node: ClusterNode, forgotten?: 'forgotten'): Promise<Set<number>>
  /** Resolves when nothing is lost any more, or throws with the ledger after so many milliseconds. */
  untilDelivered(timeout?: number): Promise<Ledger>
  ledger(): Ledger
  /** Prints the ledger of a check and returns it. */
  report(name: string, more?: string): Ledger
}

export interface SendSettings {
  readonly count: number
  readonly perSecond?: number
  /** `all` (default): every node gets every datagram; `random`: one node each; or these nodes. */
  readonly to?: 'all' | 'random' | readonly ClusterNode[]
  readonly withExecutionId?: boolean
  readonly signal?: AbortSignal
}

/** Questions cost the nodes work and log lines. */
const POLL_MS = 50

const NAMES = ['qs-a', 'qs-b', 'qs-c', 'qs-d', 'qs-e', 'qs-f', 'qs-g', 'qs-h', 'qs-i', 'qs-j', 'qs-k', 'qs-l']

export async function startCluster(settings: ClusterSettings = {}): Promise<TestCluster> {
  await using started = new AsyncDisposableStack()
  const directory = tempDirectory(fastParent())
  started.defer(async () => directory.remove())
  const certificates = directory.join('certificates')
  mkdirSync(certificates)
  await copyCertificates(certificates)
  // Both servers show the same one, so that nodes need one authority.
  const certificate = await serverCertificate()
  const [site, postgres, mail] = await Promise.all([
    startLargeSite(certificates, settings.tasks),
    startPostgres({ certificate, ...settings.postgres }),
    startCountingMailbox(),
  ])
  started.use(site)
  started.use(postgres)
  started.use(mail)
  const hook = started.use(startCountingWebhook())
  const standby = settings.standby
    ? await startPostgres({ certificate, ...settings.postgres, standbyOf: postgres })
    : null
  if (standby) started.use(standby)
  const sinks = { hook, mail }
  const butler = commonConfiguration(site, sinks, settings.butler ?? {})
  const databases = [postgres.port, ...(standby ? [standby.port] : [])]
  const nodes: ClusterNode[] = []
  for (const [index, name] of NAMES.slice(0, settings.nodes ?? 3).entries()) {
    const node = await clusterNode({
      name,
      directory: directory.join(name),
      databases,
      ca: postgres.ca,
      butler,
      cluster: settings.cluster,
      host: settings.host,
      clockShift: settings.clockShifts?.[index],
      clockCanStop: settings.clocksCanStop,
    })
    nodes.push(started.use(node))
  }
  const remembered = new Set<number>()
  let [next, floor, firstEpoch] = [0, 0, 0]
  const epoch = async () => (await cluster.database.sql<{ epoch: string }>('SELECT epoch FROM footman.lease'))[0]?.epoch
  const cluster: TestCluster = {
    nodes,
    postgres,
    standby,
    sinks,
    site,
    directory,
    database: postgres,
    async leader() {
      const [row] = await cluster.database.sql<{ node: string }>(
        'SELECT node FROM footman.lease WHERE expires_at > clock_timestamp()',
      )
      return nodes.find(({ name }) => name === row?.node) ?? null
    },
    untilLed: ({ not, timeout = 30_000 } = {}) =>
      until(
        async () => {
          await Bun.sleep(POLL_MS)
          const leader = await cluster.leader()
          if (!leader || leader === not) return null
          return (await cluster.modeOf(leader)) === 'leader' ? leader : null
        },
        { timeout, what: `a leader${not ? ` other than ${not.name}` : ''}` },
      ),
    async untilJoined(timeout = 30_000) {
      const running = nodes.filter(({ isRunning }) => isRunning)
      await until(
        async () => {
          await Bun.sleep(POLL_MS)
          const modes = await Promise.all(running.map((node) => cluster.modeOf(node)))
          return (
            modes.filter((mode) => mode === 'leader').length === 1 &&
            modes.every((mode) => mode === 'leader' || mode === 'follower')
          )
        },
        { timeout, what: 'one leader and followers', state: () => nodes.map(lastWords) },
      )
    },
    async recover() {
      cluster.database.resume()
      for (const node of nodes) {
        if (node.isRunning) node.thaw()
        await node.heal()
        if (!node.isRunning) await node.start()
      }
      hook.delay = ANSWER_MS
      await cluster.untilJoined()
    },
    modeOf,
    async begin() {
      floor = next
      firstEpoch = Number(await epoch())
    },
    takeovers: async () => Number(await epoch()) - firstEpoch,
    async send({ count, perSecond = 200, to = 'all', withExecutionId, signal }) {
      const first = next
      next += count
      const chosen = typeof to === 'string' ? nodes : to
      const ports = chosen.map(({ udpPort }) => udpPort)
      const oneOf = () => [ports[Math.floor(Math.random() * ports.length)] as number]
      const sent = await sendDatagrams({
        first,
        count,
        perSecond,
        ports: to === 'random' ? oneOf : () => ports,
        ...(withExecutionId !== undefined && { withExecutionId }),
        ...(signal && { signal }),
      })
      return Array.from({ length: sent }, (_, index) => first + index)
    },
    accepted() {
      const all = [...remembered, ...nodes.flatMap((node) => [...node.accepted()])]
      return new Set(all.filter((execution) => execution >= floor))
    },
    async loseDisk(node, forgotten) {
      const accepted = node.accepted()
      if (!forgotten) for (const execution of accepted) remembered.add(execution)
      node.deleteData()
      await cluster.database.sql(`UPDATE footman.node SET seen_at = seen_at - interval '31s' WHERE name = $1`, [
        node.name,
      ])
      return accepted
    },
    async untilDelivered(timeout = 60_000) {
      const accepted = cluster.accepted()
      const now = () => ledger(accepted, [hook, mail], floor)
      await until(() => now().lost.length === 0, {
        timeout,
        what: 'every accepted failure to be delivered',
        state: () => summary(now()),
      })
      return cluster.ledger()
    },
    ledger: () => ledger(cluster.accepted(), [hook, mail], floor),
    report(name, more) {
      const result = cluster.ledger()
      console.log(`    ${ledgerLine(name, result, more)}`)
      return result
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
  if (settings.start !== false) {
    await Promise.all(nodes.map((node) => node.start()))
    await cluster.untilJoined()
  }
  const cleanup = started.move()
  return Object.assign(cluster, { [Symbol.asyncDispose]: () => cleanup.disposeAsync() })
}

const summary = ({ lost, ...rest }: Ledger) => ({ ...rest, lost: lost.length, first: lost.slice(0, 3) })

/** The newest lines of a node about the cluster. */
const lastWords = (node: ClusterNode): string =>
  `${node.name} (${node.isRunning ? 'runs' : 'has ended'}): ${node.lines
    .filter((line) => /CLUSTER|error/.test(line))
    .slice(-3)
    .join(' | ')}`

/** Two lanes without limits that would bend the counts. */
function commonConfiguration(site: LargeSite, { hook, mail }: TestCluster['sinks'], more: Tree): Tree {
  return {
    logLevel: 'verbose',
    fileLogging: false,
    cert: {
      clientCert: site.certificates.cert,
      clientCertKey: site.certificates.key,
      clientCertCA: site.certificates.ca,
    },
    configQRS: { host: '127.0.0.1', port: site.qrsPort, rejectUnauthorized: true },
    restServerEndpointsEnable: {
      butlerping: true,
      senseStartTask: true,
      keyValueStore: true,
      apiListEnabledEndpoints: true,
      scheduler: {
        createNewSchedule: true,
        getSchedule: true,
        deleteSchedule: true,
        startSchedule: true,
        stopSchedule: true,
      },
    },
    emailNotification: {
      enable: false,
      smtp: { host: '127.0.0.1', port: mail.port, secure: false, tls: { requireTLS: false } },
    },
    ...more,
    footman: {
      api: { rateLimitPerMinute: 0 },
      destinations: {
        hook: { type: 'webhook', url: `http://127.0.0.1:${hook.port}/alert` },
        mail: { type: 'email', recipients: ['ops@acme.example'], from: 'footman@acme.example' },
      },
      alertRoutes: [{ name: 'failures', match: { outcome: 'failed' }, to: ['hook', 'mail'], limit: 'none' }],
      delivery: { retryFirst: '1s', retryMax: '2s' },
      ...(more.footman as Tree),
    },
  }
}
