import { NEVER_MS } from './entities.ts'
import type {
  ExecutionStore,
  SimClock,
  SimExecution,
  SimNode,
  SimServerLicence,
  SimulatedSite,
  SiteEvents,
} from './types.ts'

export const ZERO_GUID = '00000000-0000-0000-0000-000000000000'

interface SiteSettings {
  readonly timeZone: string
}

/** The site, with the means to replace its data set. */
export interface ResettableSite extends SimulatedSite {
  /** Forgets every object; listeners stay. */
  clear(): void
}

/** An empty simulated site; `loadAcme` fills it. */
export function createSite(deps: { readonly clock: SimClock }, settings: SiteSettings): ResettableSite {
  const { clock } = deps
  const counters = new Map<string, number>()
  const listeners = new Map<keyof SiteEvents, Set<(payload: never) => void>>()
  const executions = createExecutionStore()

  const site: ResettableSite = {
    clock,
    timeZone: settings.timeZone,
    nodes: new Map(),
    streams: new Map(),
    apps: new Map(),
    tasks: new Map(),
    tags: new Map(),
    customPropertyDefinitions: new Map(),
    users: new Map(),
    userDirectories: new Map(),
    dataConnections: new Map(),
    schemaEvents: new Map(),
    compositeEvents: new Map(),
    sessions: new Map(),
    executions,
    licences: {
      server: emptyLicence(clock.now()),
      professional: new Map(),
      analyzer: new Map(),
      totals: { professional: 0, analyzer: 0, capacityMinutes: 0, capacityUsedMinutes: 0 },
    },
    nextId(prefix) {
      const count = (counters.get(prefix) ?? 0) + 1
      counters.set(prefix, count)
      // The number is in front: like ids of a real site, these are known by their first characters.
      return `${prefix}${count.toString(16).padStart(6, '0')}-0000-4000-8000-000000000000`
    },
    userByName(directory, userId) {
      const wanted = `${directory}\\${userId}`.toLowerCase()
      for (const user of site.users.values()) {
        if (`${user.userDirectory}\\${user.userId}`.toLowerCase() === wanted) return user
      }
      return null
    },
    centralNode() {
      for (const node of site.nodes.values()) if (node.isCentral) return node
      return site.nodes.values().next().value as SimNode
    },
    appReloaded(app, at, user) {
      app.lastReloadTime = at
      app.modifiedDate = at
      app.modifiedByUserName = user
      app.fileSize += 4096
      site.emit('changed', { entity: 'App', id: app.id, changeType: 2 })
    },
    on(event, listener) {
      const set = listeners.get(event) ?? new Set()
      listeners.set(event, set)
      set.add(listener as (payload: never) => void)
      return () => set.delete(listener as (payload: never) => void)
    },
    emit(event, payload) {
      for (const listener of listeners.get(event) ?? []) (listener as (payload: unknown) => void)(payload)
    },
    clear() {
      const maps: Map<string, unknown>[] = [site.nodes, site.streams, site.apps, site.tasks, site.tags, site.users]
      maps.push(site.customPropertyDefinitions, site.userDirectories, site.dataConnections, site.schemaEvents)
      maps.push(site.compositeEvents, site.sessions, site.licences.professional, site.licences.analyzer)
      for (const map of maps) map.clear()
      executions.clear()
      counters.clear()
    },
  }
  return site
}

/** Execution results by id, session and task; the oldest go when there are more than `limit`. */
function createExecutionStore(limit = 30_000): ExecutionStore & { clear(): void } {
  const byId = new Map<string, SimExecution>()
  const byExecution = new Map<string, SimExecution[]>()
  const byTask = new Map<string, SimExecution[]>()

  function index(map: Map<string, SimExecution[]>, key: string, execution: SimExecution) {
    const list = map.get(key)
    if (list) list.push(execution)
    else map.set(key, [execution])
  }

  /** The evicted result is the oldest of all, hence the first of its lists. */
  function unindex(map: Map<string, SimExecution[]>, key: string) {
    const list = map.get(key)
    list?.shift()
    if (list?.length === 0) map.delete(key)
  }

  function evictOldest() {
    const oldest = byId.values().next().value
    if (!oldest) return
    byId.delete(oldest.id)
    unindex(byExecution, oldest.executionID)
    unindex(byTask, oldest.taskID)
  }

  return {
    get size() {
      return byId.size
    },
    get: (id) => byId.get(id.toLowerCase()),
    byExecution: (executionId) => byExecution.get(executionId.toLowerCase()) ?? [],
    byTask: (taskId) => byTask.get(taskId.toLowerCase()) ?? [],
    add(execution) {
      byId.set(execution.id, execution)
      index(byExecution, execution.executionID, execution)
      index(byTask, execution.taskID, execution)
      if (byId.size > limit) evictOldest()
    },
    values: () => byId.values(),
    clear() {
      byId.clear()
      byExecution.clear()
      byTask.clear()
    },
  }
}

/** `guid('70', 7)` is `70000000-0000-4000-8000-000000000007`. */
export function guid(prefix: string, count: number): string {
  return `${prefix.padEnd(8, '0')}-0000-4000-8000-${String(count).padStart(12, '0')}`
}

/** The execution result of a task that has never run. */
export function neverRun(site: Pick<SimulatedSite, 'nextId' | 'clock'>, taskID: string, appID: string): SimExecution {
  const now = site.clock.now()
  return {
    id: site.nextId('0c'),
    createdDate: now,
    modifiedDate: now,
    modifiedByUserName: 'INTERNAL\\sa_scheduler',
    taskID,
    executionID: ZERO_GUID,
    appID,
    executingNodeID: ZERO_GUID,
    executingNodeName: '',
    status: 0,
    startTime: NEVER_MS,
    stopTime: NEVER_MS,
    duration: 0,
    fileReferenceID: ZERO_GUID,
    scriptLogAvailable: false,
    scriptLogLocation: '',
    scriptLogSize: 0,
    details: [],
  }
}

function emptyLicence(now: number): SimServerLicence {
  return {
    id: guid('11', 1),
    createdDate: now,
    modifiedDate: now,
    modifiedByUserName: 'INTERNAL\\sa_repository',
    serial: '',
    key: '',
    keyDetails: null,
    name: '',
    organization: '',
    isExpired: false,
  }
}
