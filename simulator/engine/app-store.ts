/** The apps on disk: their content and how often each table was loaded. */
import { NEVER_MS } from '../entities.ts'
import type { SimApp, SimulatedSite } from '../types.ts'
import type { AppContent, TableContent } from './content/app-content.ts'
import {
  bigNumbers,
  financeQvdBuilder,
  genericApp,
  hrInsights,
  inventoryLive,
  orderLines,
  salesEtl,
} from './content/other-apps.ts'
import { salesDashboard } from './content/sales-dashboard.ts'

/** How often each table of an app was loaded, by its name; a table that was never loaded is missing. */
export type Versions = ReadonlyMap<string, number>

/** Content and saved data of the apps. Freed with the apps themselves. */
export interface AppStore {
  content(app: SimApp): AppContent
  versions(app: SimApp): Versions
  save(app: SimApp, versions: Versions): void
}

const FINISHED_SUCCESS = 7

/** Follows the scheduler too: a task that reloaded an app changes the app's data. */
export function createAppStore(site: SimulatedSite): AppStore & { stop(): void } {
  const contents = new WeakMap<SimApp, AppContent>()
  const saved = new WeakMap<SimApp, Versions>()

  const store: AppStore = {
    content(app) {
      const known = contents.get(app) ?? contentOf(app)
      contents.set(app, known)
      return known
    },
    versions(app) {
      const known = saved.get(app)
      if (known) return known
      if (app.lastReloadTime <= NEVER_MS) return new Map()
      return new Map(store.content(app).tables.map((table) => [table.name, 1]))
    },
    save: (app, versions) => void saved.set(app, versions),
  }
  const stop = site.on('state', ({ task, execution, final }) => {
    const isReload = task.taskType === 0 && final && execution.status === FINISHED_SUCCESS
    // An app that was never opened needs no content for this: its first version is as good as its second.
    if (!isReload || !task.app || !contents.has(task.app)) return
    store.save(task.app, reloaded(store.content(task.app).tables, store.versions(task.app), task.isPartialReload))
  })
  return { ...store, stop }
}

/** Versions after a reload; a partial one loads only the tables with an Add, Replace or Merge prefix. */
export function reloaded(tables: readonly TableContent[], before: Versions, partial: boolean): Versions {
  const after = new Map(before)
  for (const table of tables) {
    if (!partial || table.prefix !== 'none') after.set(table.name, (before.get(table.name) ?? 0) + 1)
  }
  return after
}

/** The content of an app, built on demand; an app without a content of its own gets a small table and one sheet. */
function contentOf(app: SimApp): AppContent {
  const number = ACME_APP.exec(app.id)?.[1]
  const build = number === undefined ? undefined : BY_NUMBER[number]
  return build ? build() : genericApp(app.name, number === undefined ? '0099' : `00${number}`)
}

/** The apps of the data set that have a content of their own, by the end of their id. */
const BY_NUMBER: Readonly<Record<string, () => AppContent>> = {
  '01': salesEtl,
  '02': salesDashboard,
  '03': financeQvdBuilder,
  '04': hrInsights,
  '08': inventoryLive,
  '10': bigNumbers,
  '11': orderLines,
}

const ACME_APP = /^a1000000-0000-4000-8000-0000000000(\d\d)$/
