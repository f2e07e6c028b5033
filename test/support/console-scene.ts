/** The compiled executable beside a simulated site, with its console: for tests that compare what pages show. */
import { mkdirSync } from 'node:fs'
import { MIGRATIONS } from '../../src/app/migrations.ts'
import { type Database, openDatabase } from '../../src/platform/sqlite.ts'
import { type Shown, textOf, type Visitor, visitorOf } from './console.ts'
import { footman } from './footman.ts'
import { startSite, type TestSite } from './simulator.ts'

export interface Scene extends AsyncDisposable {
  readonly site: TestSite
  readonly who: Visitor
  /** Port of the REST API. */
  readonly port: number
  /** A page by its path below `/console`. */
  page(path: string): Promise<Shown>
  json<T>(path: string): Promise<T>
  /** The status of the answer, which is none of a failure. */
  call(method: string, path: string, body?: unknown): Promise<number>
  post(path: string, body: unknown): Promise<number>
}

interface SceneSettings {
  /** Below `Butler.footman`. */
  readonly footman?: object
  /** Writes a history before Footman starts. */
  readonly seed?: (db: Database) => void
}

export async function startScene({ footman: members = {}, seed }: SceneSettings): Promise<Scene> {
  await using started = new AsyncDisposableStack()
  const site = started.use(await startSite())
  const product = started.use(
    await footman({
      simulator: site.simulator,
      config: {
        restServerEndpointsEnable: SWITCHES,
        scheduler: { enable: true, configfile: 'schedule.yaml' },
        footman: members,
      },
    }),
  )
  if (seed) {
    mkdirSync(product.directory.join('data'), { recursive: true })
    const db = openDatabase(product.directory.join('data', 'footman.db'), { migrations: MIGRATIONS })
    seed(db)
    db.close()
  }
  await product.start()
  const who = visitorOf(product)
  const checked = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const answer = await product.call(method, path, body)
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
    return answer
  }
  const all = started.move()
  return {
    site,
    who,
    port: product.restPort,
    page: who.page,
    json: async <T>(path: string) => (await (await checked('GET', path)).json()) as T,
    call: async (method, path, body) => (await checked(method, path, body)).status,
    post: async (path, body) => (await checked('POST', path, body)).status,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

const SWITCHES = {
  apiListEnabledEndpoints: true,
  keyValueStore: true,
  base62ToBase16: true,
  base16ToBase62: true,
  scheduler: {
    createNewSchedule: true,
    getSchedule: true,
    deleteSchedule: true,
    startSchedule: true,
    stopSchedule: true,
  },
}

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
