/** The simulated Qlik Sense site in a process of its own. */
import { join } from 'node:path'
import process from 'node:process'
import { runBinary } from '../support/binary.ts'
import { repositoryRoot } from '../support/source.ts'

export interface BenchSite extends AsyncDisposable {
  readonly qrsPort: number
  readonly aboutPort: number
  readonly enginePort: number
  /** Paths of PEM files. */
  readonly certificates: { readonly cert: string; readonly key: string; readonly ca: string }
  /** Failed reloads that all end within a second, told to this UDP port, of all tasks or of these. Resolves when everything is sent. */
  burst(
    udpPort: number,
    count: number,
    taskIds?: readonly string[],
  ): Promise<{ readonly executionIds: readonly string[]; readonly sent: number; readonly tookMs: number }>
  /** Further reload tasks; their ids. */
  addTasks(count: number): Promise<string[]>
  /** Method and path of the requests to the repository service so far (the newest 20,000 are kept). */
  repositoryRequests(): Promise<string[]>
  /** Calls to the engine so far, by method. */
  engineCalls(): Promise<Readonly<Record<string, number>>>
}

/** The first line that scripts/simulator.ts prints. */
interface Announcement {
  readonly ports: { readonly qrs: number; readonly about: number; readonly engine: number; readonly control: number }
  readonly certificates: {
    readonly clientCert: string
    readonly clientCertKey: string
    readonly clientCertCA: string
  }
}

export async function startBenchSite(directory: string): Promise<BenchSite> {
  const script = join(repositoryRoot, 'scripts', 'simulator.ts')
  const running = runBinary([script, '--certificates', directory], { command: process.execPath })
  const [line] = await running.waitForLine(/^\{.*\}$/, 30_000)
  const { ports, certificates } = JSON.parse(line) as Announcement

  async function control<T>(method: string, path: string, body?: unknown): Promise<T> {
    const url = `http://127.0.0.1:${ports.control}/_sim/${path}`
    const answer = await fetch(url, { method, body: body === undefined ? undefined : JSON.stringify(body) })
    if (!answer.ok)
      throw new Error(`the simulator answered ${answer.status} to ${method} ${path}: ${await answer.text()}`)
    return (await answer.json()) as T
  }

  return {
    qrsPort: ports.qrs,
    aboutPort: ports.about,
    enginePort: ports.engine,
    certificates: {
      cert: certificates.clientCert,
      key: certificates.clientCertKey,
      ca: certificates.clientCertCA,
    },
    async burst(udpPort, count, taskIds) {
      await control('PUT', 'udp', { target: `127.0.0.1:${udpPort}` })
      return control('POST', 'burst', { count, withinMs: 1000, outcome: 'fail', ...(taskIds && { taskIds }) })
    },
    async addTasks(count) {
      return (await control<{ ids: string[] }>('POST', 'tasks', { count })).ids
    },
    async repositoryRequests() {
      const requests = await control<{ method: string; path: string }[]>('GET', 'requests?listener=qrs')
      return requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`)
    },
    engineCalls: () => control('GET', 'enginecalls'),
    [Symbol.asyncDispose]: () => running.kill9(),
  }
}
