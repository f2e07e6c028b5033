/** Footman in this process beside a simulated site, with its console: for tests that compare what pages show. */
import { createApp } from '../../src/app/app.ts'
import { MIGRATIONS } from '../../src/app/migrations.ts'
import { butler } from '../../src/app/schema.ts'
import type { App } from '../../src/app/types.ts'
import { createPathResolver } from '../../src/config/paths.ts'
import { type Database, openDatabase } from '../../src/platform/sqlite.ts'
import { type Shown, textOf, type Visitor, visitor } from './console.ts'
import { freeTcpPort, freeUdpPort } from './ports.ts'
import { recordingLog } from './recording-log.ts'
import { startSite, type TestSite } from './simulator.ts'
import { tempDirectory } from './temp.ts'

export interface Scene extends AsyncDisposable {
  readonly app: App
  readonly site: TestSite
  readonly who: Visitor
  /** A page by its path below `/console`. */
  page(path: string): Promise<Shown>
  json<T>(path: string): Promise<T>
  /** The status of the answer. */
  post(path: string, body: unknown): Promise<number>
}

interface SceneSettings {
  /** Below `Butler.footman`. */
  readonly footman?: object
  /** Writes a history before Footman starts. */
  readonly seed?: (db: Database) => void
}

export async function startScene({ footman = {}, seed }: SceneSettings): Promise<Scene> {
  const site = await startSite()
  const directory = tempDirectory()
  const databaseFile = directory.join('footman.db')
  if (seed) {
    const db = openDatabase(databaseFile, { migrations: MIGRATIONS })
    seed(db)
    db.close()
  }
  const { certificates, ports } = site.simulator
  const udpPort = await freeUdpPort()
  site.simulator.setUdpTarget({ host: '127.0.0.1', port: udpPort })
  const config = butler.parse({
    cert: {
      clientCert: certificates.clientCert,
      clientCertKey: certificates.clientCertKey,
      clientCertCA: certificates.clientCertCA,
    },
    configQRS: { host: '127.0.0.1', port: ports.qrs, useSSL: true, rejectUnauthorized: true, headers: HEADERS },
    udpServerConfig: { enable: true, serverHost: '127.0.0.1', portTaskFailure: udpPort },
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: await freeTcpPort() },
    scheduler: { enable: true, configfile: 'schedule.yaml' },
    footman: { api: { rateLimitPerMinute: 0 }, ...footman },
  })
  const app = createApp(
    {
      log: recordingLog(),
      paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }),
      databaseFile,
      workerEntry: new URL('../../src/main.ts', import.meta.url),
    },
    {
      config: { ...config, restServerEndpointsEnable: allOn(config.restServerEndpointsEnable) },
      dataDirectory: directory.path,
      qrsConnection: true,
      shadow: false,
      degraded: false,
      apiRateLimit: null,
    },
  )
  await app.start()
  const base = `http://127.0.0.1:${app.restPort}`
  const who = visitor(base)
  return {
    app,
    site,
    who,
    page: who.page,
    async json<T>(path: string) {
      const answer = await fetch(base + path)
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
      return (await answer.json()) as T
    },
    async post(path, body) {
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) })
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
      return answer.status
    },
    async [Symbol.asyncDispose]() {
      await app.stop(1000)
      await site[Symbol.asyncDispose]()
      directory.remove()
    },
  }
}

const allOn = <T extends object>(switches: T): T =>
  Object.fromEntries(
    Object.entries(switches).map(([name, value]) => [name, typeof value === 'object' ? allOn(value) : true]),
  ) as T

const HEADERS = { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }] }

/** The rows of the table with this caption: the text of each cell by the heading of its column. */
export function tableOf(html: string, caption: string): Record<string, string>[] {
  const table = html
    .split(/<table\b/)
    .find((part) => textOf(/<caption[^>]*>(.*?)<\/caption>/s.exec(part)?.[1] ?? '').includes(caption))
  if (table === undefined) return []
  const rows = table.slice(0, table.indexOf('</table>')).split(/<tr\b/).slice(1)
  const cells = (row: string) =>
    [...row.matchAll(/<t[hd]\b[^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) => textOf(cell!).trim())
  const heads = cells(rows[0]!)
  return rows.slice(1).map((row) => Object.fromEntries(cells(row).map((cell, n) => [heads[n] ?? String(n), cell])))
}
