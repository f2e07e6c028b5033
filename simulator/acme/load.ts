import { DEFAULT_BEHAVIOUR, NEVER_MS } from '../entities.ts'
import { finishedExecution } from '../scheduler/execution.ts'
import { guid, neverRun, type ResettableSite, ZERO_GUID } from '../site.ts'
import type { SimApp, SimCustomPropertyValue, SimEntity, SimTag, SimTask, SimUser, SimulatedSite } from '../types.ts'
import { loadLicences } from './licences.ts'
import {
  APPS,
  DATA_CONNECTIONS,
  NODES,
  PROPERTIES,
  PUNCTUATION_TAGS,
  STREAMS,
  TAGS,
  USER_DIRECTORIES,
  USERS,
} from './site.ts'
import { TASKS, type TaskRow } from './tasks.ts'
import { loadTriggers } from './triggers.ts'

const DAY_MS = 86_400_000

/** Fills an empty site with the company Acme; times are relative to the site's clock. */
export function loadAcme(site: ResettableSite) {
  const now = site.clock.now()
  const base = (id: string, by = 'LAB\\anna'): SimEntity => ({
    id,
    createdDate: now - 120 * DAY_MS,
    modifiedDate: now - 10 * DAY_MS,
    modifiedByUserName: by,
  })

  loadNodes(site, base)
  for (const [index, name] of [...TAGS, ...PUNCTUATION_TAGS].entries()) {
    const tag = { ...base(guid('60', index + 1)), name }
    site.tags.set(tag.id, tag)
  }
  for (const [index, [name, choiceValues, objectTypes]] of PROPERTIES.entries()) {
    const id = guid('c0', index + 1)
    const lists = { choiceValues: [...choiceValues], objectTypes: [...objectTypes] }
    site.customPropertyDefinitions.set(id, { ...base(id), name, description: '', valueType: 'Text', ...lists })
  }
  const label = createLabels(site)
  loadUsers(site, base, label)
  loadContent(site, base, label)
  for (const row of TASKS) loadTask(site, base, label, row)
  loadTriggers(site, base)
  loadLicences(site, base)
}

const ORDER_LINES_NUMBER = 11

/** Adds an app beyond the data set, like Big Numbers but for its name and content. Returns its id. */
export function addOrderLines(site: SimulatedSite): string {
  const id = guid('a1', ORDER_LINES_NUMBER)
  const model = site.apps.get(guid('a1', 10))
  if (!model) throw new Error('The data set is not loaded')
  site.apps.set(id, { ...model, id, name: 'Order Lines', description: 'Every order line', fileSize: 12_582_912 })
  return id
}

type Base = (id: string, by?: string) => SimEntity
type Labels = ReturnType<typeof createLabels>

/** Finds tags and makes property values by name. */
function createLabels(site: ResettableSite) {
  const tags = new Map([...site.tags.values()].map((tag) => [tag.name, tag]))
  const definitions = new Map([...site.customPropertyDefinitions.values()].map((one) => [one.name, one]))
  return {
    tags: (names: readonly string[] = []): SimTag[] => names.map((name) => tags.get(name)!),
    properties: (pairs: readonly (readonly [string, string])[] = []): SimCustomPropertyValue[] =>
      pairs.map(([name, value]) => {
        const definition = definitions.get(name)!
        const { createdDate, modifiedDate, modifiedByUserName } = definition
        return { id: site.nextId('0d'), createdDate, modifiedDate, modifiedByUserName, value, definition }
      }),
  }
}

function loadNodes(site: ResettableSite, base: Base) {
  for (const row of NODES) {
    const id = guid('90', row.nn)
    site.nodes.set(id, {
      ...base(id, 'INTERNAL\\sa_repository'),
      name: row.name,
      hostName: `${row.name}.acme.local`,
      isCentral: row.central,
      nodePurpose: 2,
      engineEnabled: true,
      proxyEnabled: row.central,
      printingEnabled: row.central,
      schedulerEnabled: true,
      failoverCandidate: !row.central,
      schedulerReloadEnabled: true,
      schedulerPreloadEnabled: true,
      schedulerServiceType: row.schedulerServiceType,
      maxConcurrentEngines: row.maxConcurrentEngines,
    })
  }
}

function loadUsers(site: ResettableSite, base: Base, label: Labels) {
  for (const row of USERS) {
    const id = guid('80', row.nn)
    const account = 'INTERNAL\\sa_repository'
    site.users.set(id, {
      ...base(id, account),
      userId: row.id,
      userDirectory: row.directory,
      userDirectoryConnectorName: row.directory,
      name: row.name,
      roles: [...(row.roles ?? [])],
      attributes: [
        ...row.emails.map((value) => ({ type: 'Email', value })),
        ...(row.directory === 'INTERNAL' ? [] : [{ type: 'group', value: 'BI Developers' }]),
      ].map(({ type, value }) => ({
        ...base(site.nextId('0a'), account),
        attributeType: type,
        attributeValue: value,
        externalId: '',
      })),
      inactive: row.inactive ?? false,
      removedExternally: row.removed ?? false,
      blacklisted: row.blocked ?? false,
      deleteProhibited: row.directory === 'INTERNAL',
      tags: label.tags(row.tags),
      customProperties: label.properties(row.properties),
    })
  }
  for (const { nn, name, type } of USER_DIRECTORIES) {
    const id = guid('d1', nn)
    site.userDirectories.set(id, { ...base(id), name, userDirectoryName: name, type })
  }
}

function loadContent(site: ResettableSite, base: Base, label: Labels) {
  const now = site.clock.now()
  const owner = (name: string): SimUser => site.userByName(...(name.split('\\') as [string, string]))!
  for (const [index, name] of STREAMS.entries()) {
    const id = guid('50', index + 1)
    site.streams.set(id, { ...base(id), name, owner: owner('INTERNAL\\sa_repository') })
  }
  for (const [index, { name, path, type }] of DATA_CONNECTIONS.entries()) {
    const id = guid('b1', index + 1)
    site.dataConnections.set(id, { ...base(id), name, connectionstring: path, type, owner: owner('LAB\\anna') })
  }
  const streams = new Map([...site.streams.values()].map((stream) => [stream.name, stream]))
  for (const row of APPS) {
    const app: SimApp = {
      ...base(guid('a1', row.nn), 'INTERNAL\\sa_scheduler'),
      name: row.name,
      appId: '',
      owner: owner(row.owner),
      stream: row.stream ? (streams.get(row.stream) ?? null) : null,
      published: row.stream !== null,
      publishTime: row.stream ? now - 110 * DAY_MS : NEVER_MS,
      description: row.description,
      fileSize: row.fileSize,
      lastReloadTime: now - DAY_MS / 2,
      tags: label.tags(row.tags),
      customProperties: label.properties(row.properties),
      availabilityStatus: 0,
      sectionAccess: row.sectionAccess ?? false,
      reloadDurationMs: row.reloadDurationMs ?? DEFAULT_BEHAVIOUR.durationMs,
      scriptError: row.scriptError ?? null,
    }
    site.apps.set(app.id, app)
  }
}

function loadTask(site: ResettableSite, base: Base, label: Labels, row: TaskRow) {
  const app = row.app ? (site.apps.get(guid('a1', row.app)) ?? null) : null
  const task: SimTask = {
    ...base(row.id),
    name: row.name,
    taskType: row.type,
    enabled: row.enabled ?? true,
    taskSessionTimeout: row.timeoutMinutes ?? 1440,
    maxRetries: row.maxRetries ?? 0,
    tags: label.tags(row.tags),
    customProperties: label.properties(row.properties),
    app,
    isManuallyTriggered: row.manual ?? false,
    isPartialReload: row.partial ?? false,
    timeToLive: row.type === 4 ? 480 : 0,
    preloadNodes: null,
    path: row.path ?? '',
    parameters: row.parameters ?? '',
    qlikUser: null,
    userDirectory: row.directory ? (site.userDirectories.get(guid('d1', row.directory)) ?? null) : null,
    operational: {
      id: site.nextId('0b'),
      lastExecutionResult: neverRun(site, row.id, app?.id ?? ZERO_GUID),
      nextExecution: NEVER_MS,
    },
    behaviour: { ...DEFAULT_BEHAVIOUR, ...row.behaviour },
  }
  site.tasks.set(task.id, task)
  if (!row.neverRan) seedLastRun(site, task)
}

/** Every task but one has run some hours ago. */
function seedLastRun(site: ResettableSite, task: SimTask) {
  const execution = finishedExecution(site, task, {
    outcome: task.behaviour.outcome === 'fail' ? 'fail' : 'success',
    startedAt: site.clock.now() - DAY_MS / 2,
    durationMs: task.behaviour.durationMs,
    node: site.centralNode(),
    executionID: site.nextId('e5'),
  })
  task.operational.lastExecutionResult = execution
  site.executions.add(execution)
}
