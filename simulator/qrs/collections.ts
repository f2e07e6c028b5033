import { guid } from '../site.ts'
import type { SimEntity, SimNode, SimTask, SimulatedSite } from '../types.ts'
import { SHAPES, type Shape } from './shapes.ts'

/** One kind of entity under `/qrs/<name>`. */
export interface Collection {
  readonly shape: Shape
  all(site: SimulatedSite): Iterable<object>
  get(site: SimulatedSite, id: string): object | undefined
  /** Further lookups by GUID, named by the lower-case property. */
  readonly indexes?: Readonly<Record<string, (site: SimulatedSite, id: string) => Iterable<object>>>
  /** The map that entities are created in and deleted from; absent: read-only. */
  map?(site: SimulatedSite): Map<string, SimEntity>
}

type MapOf = (site: SimulatedSite) => ReadonlyMap<string, object>

function stored(shape: string, mapOf: MapOf): Collection {
  return {
    shape: SHAPES[shape]!,
    all: (site) => mapOf(site).values(),
    get: (site, id) => mapOf(site).get(id),
    map: mapOf as (site: SimulatedSite) => Map<string, SimEntity>,
  }
}

function tasksOf(shape: string, types: readonly number[]): Collection {
  const belongs = (task: SimTask | undefined): task is SimTask => task !== undefined && types.includes(task.taskType)
  return {
    shape: SHAPES[shape]!,
    all: (site) => [...site.tasks.values()].filter(belongs),
    get: (site, id) => {
      const task = site.tasks.get(id)
      return belongs(task) ? task : undefined
    },
    map: (site) => site.tasks,
  }
}

function computed(shape: string, list: (site: SimulatedSite) => readonly { readonly id: string }[]): Collection {
  return {
    shape: SHAPES[shape]!,
    all: list,
    get: (site, id) => list(site).find((entity) => entity.id === id),
  }
}

const nothing = (shape: string) => computed(shape, () => [])

/** Services that a node runs, by service type. */
const SERVICES: readonly (readonly [type: number, runs: (node: SimNode) => boolean])[] = [
  [0, () => true],
  [1, (node) => node.proxyEnabled],
  [2, (node) => node.schedulerEnabled],
  [3, (node) => node.engineEnabled],
  [5, (node) => node.printingEnabled],
]
const RUNNING = 2

function serviceStatus(site: SimulatedSite) {
  let count = 0
  return [...site.nodes.values()].flatMap((node) =>
    SERVICES.filter(([, runs]) => runs(node)).map(([serviceType]) => ({
      id: guid('91', ++count),
      serviceType,
      serviceState: RUNNING,
      timestamp: site.clock.now(),
      serverNodeConfiguration: node,
    })),
  )
}

function schedulerServices(site: SimulatedSite) {
  return [...site.nodes.values()].map((node, index) => ({
    ...node,
    id: guid('92', index + 1),
    settings: {
      id: guid('93', index + 1),
      schedulerServiceType: node.schedulerServiceType,
      maxConcurrentEngines: node.maxConcurrentEngines,
      engineTimeout: 30,
    },
    serverNodeConfiguration: node,
  }))
}

/** Every entity of the site, by lower-case path. */
export const COLLECTIONS: Readonly<Record<string, Collection>> = {
  task: stored('Task', (site) => site.tasks),
  reloadtask: tasksOf('ReloadTask', [0, 3, 4]),
  externalprogramtask: tasksOf('ExternalProgramTask', [1]),
  usersynctask: tasksOf('UserSyncTask', [2]),
  app: stored('App', (site) => site.apps),
  stream: stored('Stream', (site) => site.streams),
  user: stored('User', (site) => site.users),
  userdirectory: stored('UserDirectory', (site) => site.userDirectories),
  tag: stored('Tag', (site) => site.tags),
  custompropertydefinition: stored('CustomPropertyDefinition', (site) => site.customPropertyDefinitions),
  dataconnection: stored('DataConnection', (site) => site.dataConnections),
  servernodeconfiguration: stored('ServerNodeConfiguration', (site) => site.nodes),
  schedulerservice: computed('SchedulerService', schedulerServices),
  servicestatus: computed('ServiceStatus', serviceStatus),
  schemaevent: stored('SchemaEvent', (site) => site.schemaEvents),
  compositeevent: stored('CompositeEvent', (site) => site.compositeEvents),
  executionsession: {
    shape: SHAPES.ExecutionSession!,
    all: (site) => site.sessions.values(),
    get: (site, id) => site.sessions.get(id),
  },
  executionresult: {
    shape: SHAPES.ExecutionResult!,
    all: (site) => site.executions.values(),
    get: (site, id) => site.executions.get(id),
    indexes: {
      executionid: (site, id) => site.executions.byExecution(id),
      taskid: (site, id) => site.executions.byTask(id),
    },
  },
  'license/professionalaccesstype': stored('License.ProfessionalAccessType', (site) => site.licences.professional),
  'license/analyzeraccesstype': stored('License.AnalyzerAccessType', (site) => site.licences.analyzer),
  'license/useraccesstype': nothing('License.ProfessionalAccessType'),
  'license/loginaccesstype': nothing('License.ProfessionalAccessType'),
  'license/analyzertimeaccessusage': nothing('License.AnalyzerAccessType'),
  'license/loginaccessusage': nothing('License.AnalyzerAccessType'),
  'license/useraccessusage': nothing('License.AnalyzerAccessType'),
}
