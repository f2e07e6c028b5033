import { NEVER_MS } from '../entities.ts'
import type { SimLicenceAllocation, SimulatedSite } from '../types.ts'
import { type Call, empty, json, parseBody, Refusal, type Route, text } from './context.ts'
import { ENUMS, render, SHAPES } from './shapes.ts'

const DAY_MS = 86_400_000
const QUARANTINE_DAYS = 7
const IN_USE_DAYS = 30

const ABOUT = {
  buildVersion: '31.60.3.0',
  buildDate: '9/20/2013 10:09:00 AM',
  databaseProvider: 'Devart.Data.PostgreSql',
  nodeType: 1,
  sharedPersistence: true,
  requiresBootstrap: false,
  singleNodeOnly: false,
  schemaPath: 'About',
}

/** `{"StatusEnum":{"values":["0: NeverStarted",...],"usages":["ExecutionResult.status",...]},...}`. */
function enums() {
  const usages = (name: string) =>
    Object.values(SHAPES).flatMap((shape) =>
      shape.fields.filter((field) => field.of === name).map((field) => `${shape.name}.${field.name}`),
    )
  return Object.fromEntries(
    Object.entries(ENUMS).map(([name, values]) => [
      name,
      { values: values.map((value, index) => `${index}: ${value}`), usages: usages(name) },
    ]),
  )
}

function allocationOverview(
  site: SimulatedSite,
  allocations: ReadonlyMap<string, SimLicenceAllocation>,
  total: number,
) {
  const list = [...allocations.values()]
  const now = site.clock.now()
  const count = (test: (one: SimLicenceAllocation) => boolean) => list.filter(test).length
  return {
    enabled: true,
    total,
    allocated: list.length,
    used: count((one) => one.lastUsed !== NEVER_MS && now - one.lastUsed < IN_USE_DAYS * DAY_MS),
    quarantined: count((one) => one.quarantined),
    excess: count((one) => one.excess),
    available: total - list.length,
    schemaPath: 'AccessTypeOverview.Details',
  }
}

const NO_TOKENS = { enabled: false, allocatedTokens: 0, usedTokens: 0 }

function overview({ site }: Call) {
  const { professional, analyzer, totals } = site.licences
  return {
    totalTokens: 0,
    availableTokens: 0,
    tokensEnabled: false,
    userAccess: {
      ...NO_TOKENS,
      tokenCost: 1,
      quarantinedTokens: 0,
      schemaPath: 'AccessTypeOverview.UserAccessDetails',
    },
    loginAccess: {
      ...NO_TOKENS,
      tokenCost: 0.1,
      unavailableTokens: 0,
      schemaPath: 'AccessTypeOverview.LoginAccessDetails',
    },
    professionalAccess: allocationOverview(site, professional, totals.professional),
    analyzerAccess: allocationOverview(site, analyzer, totals.analyzer),
    analyzerTimeAccess: {
      enabled: true,
      allocatedMinutes: totals.capacityMinutes,
      usedMinutes: totals.capacityUsedMinutes,
      unavailableMinutes: 0,
      schemaPath: 'AccessTypeOverview.AnalyzerTimeDetails',
    },
    schemaPath: 'AccessTypeOverview',
  }
}

/** Frees an allocation; one that was used within the last 7 days goes into quarantine first. */
function release(call: Call, allocations: Map<string, SimLicenceAllocation>) {
  const allocation = allocations.get(call.params[0] ?? '')
  if (!allocation) return empty(404)
  const now = call.site.clock.now()
  if (now - allocation.lastUsed >= QUARANTINE_DAYS * DAY_MS) {
    allocations.delete(allocation.id)
    return empty(204)
  }
  Object.assign(allocation, { quarantined: true, quarantineEnd: now + QUARANTINE_DAYS * DAY_MS, modifiedDate: now })
  return empty(204)
}

function subscribe(call: Call) {
  const url = parseBody(call)
  const entity = call.query.get('name')
  if (typeof url !== 'string' || !entity) throw new Refusal(text(400, 'Missing callback address or name'))
  const changeType = Number(call.query.get('changetype') ?? 0)
  const handle = call.notifications.subscribe({ entity, changeType, filter: call.query.get('filter') ?? null, url })
  return json(201, { value: handle, schemaPath: 'Value' })
}

function changes(call: Call) {
  const since = Date.parse(call.query.get('since') ?? '')
  if (Number.isNaN(since)) throw new Refusal(text(400, 'Missing parameter value(s)'))
  const types = (call.query.get('types') ?? '').split(',').filter(Boolean)
  return json(200, call.notifications.changes(since, types))
}

/** About, enumerations, licences, notifications. */
export const SITE_ROUTES: readonly Route[] = [
  { method: 'GET', path: 'about', everyone: true, handle: () => json(200, ABOUT) },
  { method: 'GET', path: 'about/api/enums', everyone: true, handle: () => json(200, enums()) },
  {
    method: 'GET',
    path: 'license',
    everyone: true,
    handle: ({ site }) => json(200, render(site.licences.server, SHAPES.License!, 'full')),
  },
  { method: 'GET', path: 'license/accesstypeoverview', everyone: true, handle: (call) => json(200, overview(call)) },
  {
    method: 'GET',
    path: 'license/accesstypeinfo',
    everyone: true,
    handle: () => json(200, { totalTokens: 0, availableTokens: 0, tokensEnabled: false, schemaPath: 'AccessTypeInfo' }),
  },
  {
    method: 'DELETE',
    path: 'license/professionalaccesstype/<id>',
    handle: (call) => release(call, call.site.licences.professional),
  },
  {
    method: 'DELETE',
    path: 'license/analyzeraccesstype/<id>',
    handle: (call) => release(call, call.site.licences.analyzer),
  },
  { method: 'POST', path: 'notification', handle: subscribe },
  {
    method: 'DELETE',
    path: 'notification',
    handle: (call) => empty(call.notifications.unsubscribe(call.query.get('handle') ?? '') ? 204 : 404),
  },
  { method: 'GET', path: 'notification/changes', everyone: true, handle: changes },
]
