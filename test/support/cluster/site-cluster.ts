/** Two nodes at a simulated site whose tasks can be started. */
import { REPOSITORY_USER, startSite, type TestSite } from '../simulator.ts'
import { startCluster, type TestCluster } from './cluster.ts'
import type { Tree } from './node.ts'

export interface SiteCluster extends AsyncDisposable {
  readonly site: TestSite
  readonly cluster: TestCluster
  /** Requests to start this task that the repository has got. */
  starts(task: string): number
}

/** `butler`: below `Butler`. The nodes notice an outage of the database as early as they can. */
export async function startSiteCluster(butler: Tree = {}): Promise<SiteCluster> {
  await using started = new AsyncDisposableStack()
  const site = started.use(await startSite())
  const { certificates, ports } = site.simulator
  const { clientCert, clientCertKey, clientCertCA } = certificates
  const headers = { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] }
  const cluster = started.use(
    await startCluster({
      nodes: 2,
      cluster: { leaseDuration: '3s', aloneAfter: '5s' },
      butler: {
        cert: { clientCert, clientCertKey, clientCertCA },
        configQRS: { host: '127.0.0.1', port: ports.qrs, rejectUnauthorized: true },
        configEngine: { host: '127.0.0.1', port: ports.engine, rejectUnauthorized: true, headers },
        ...butler,
      },
    }),
  )
  const all = started.move()
  return {
    site,
    cluster,
    starts: (task) =>
      site.simulator
        .requests({ listener: 'qrs' })
        .filter(({ method, path }) => method === 'POST' && path.includes(`${task}/start`)).length,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
