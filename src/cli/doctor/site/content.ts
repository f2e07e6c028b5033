/** Compares the site with the configuration: custom properties, tasks, apps and tags, names, rights. */

import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { type WantedProperty, wantedProperties } from '../../../app/config/custom-properties.ts'
import type { Config } from '../../../app/schema.ts'
import { lenientText } from '../../../platform/encodings.ts'
import { isGuid } from '../../../platform/uuid.ts'
import { isSameName, type PropertyDefinition } from '../../../qlik/qrs/custom-properties.ts'
import { QrsError } from '../../../qlik/qrs/errors.ts'
import { and, compare, eq, guid, or } from '../../../qlik/qrs/filter.ts'
import { toCount } from '../../../qlik/qrs/normalise.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { identityOf, type Json, plural, refusedFinding, type Site, some } from './site.ts'

const PLACE = 'in the QMC under Custom properties'

export async function propertyFindings(site: Site, { config, loaded }: DoctorContext): Promise<readonly Finding[]> {
  // A name that is only Footman's default, of something optional, is nothing that anybody relies on.
  const wanted = wantedProperties(config).filter(({ required, keys }) => required || keys.some(loaded.written))
  const found = await site.properties(wanted.map(({ name }) => name))
  const findings = wanted.flatMap((property) => judge(property, found))
  const accounts = accountFindings(config, found)
  const wrong = [...findings, ...accounts]
  if (wanted.length === 0 || wrong.some(({ level }) => level !== 'info')) return wrong
  const message = `${plural(wanted.length, 'custom property').replace(/propertys$/, 'properties')} of the configuration looked at`
  return [{ level: 'ok', code: 'property.complete', target: site.target, message }, ...wrong]
}

function judge(wanted: WantedProperty, found: readonly PropertyDefinition[]): readonly Finding[] {
  const { name, keys, values, objects, required, hint } = wanted
  const common = { target: name, ...(keys[0] !== undefined && { key: keys[0] }) }
  const level = required ? 'error' : 'info'
  const definition = found.find((one) => one.name === name)
  const make = `make "${name}" ${PLACE}, for ${objects.map(wordsOf).join(', ')}${values.length > 0 ? `, with the values ${some(values, 10)}` : hint ? `; its values are ${hint}` : ''}; "footman custom-properties --create" does it`
  if (!definition) {
    const other = found.find((one) => isSameName(one.name, name))
    if (other) {
      const message = `Qlik Sense has "${other.name}", written differently: upper and lower case count`
      const fix = `write ${other.name} in Butler.${keys.join(', Butler.')}`
      return [{ ...common, level: 'error', code: 'property.case', message, fix }]
    }
    const used = `used by ${keys.map((key) => `Butler.${key}`).join(', ')}`
    return [{ ...common, level, code: 'property.missing', message: `does not exist in Qlik Sense; ${used}`, fix: make }]
  }
  const findings: Finding[] = []
  const lacking = objects.filter((one) => !definition.objectTypes.includes(one))
  // A property that works for some kinds of tasks may be meant that way.
  if (lacking.length > 0) {
    const none = lacking.length === objects.length
    const message = `cannot be given to ${lacking.map(wordsOf).join(', ')}, only to ${definition.objectTypes.join(', ') || 'nothing'}`
    const fix = `tick ${lacking.map(wordsOf).join(', ')} for "${name}" ${PLACE}`
    findings.push({ ...common, level: none ? level : 'info', code: 'property.object-type', message, fix })
  }
  // The site decides which accounts a property offers; unknown accounts are reported by `accountFindings`.
  const missing = isAccountProperty(wanted) ? [] : values.filter((value) => !definition.choiceValues.includes(value))
  if (missing.length > 0) {
    const message = `does not offer ${missing.length === 1 ? 'the value' : 'the values'} ${some(missing, 10)}; it has ${some(definition.choiceValues) || 'none'}`
    const fix = `add ${some(missing, 10)} to "${name}" ${PLACE}, or correct Butler.${keys[0]}`
    findings.push({ ...common, level, code: 'property.value', message, fix })
  }
  if (definition.choiceValues.length === 0 && missing.length === 0) {
    const message = 'has no values, so no task can have one'
    const fix = `add values to "${name}" ${PLACE}${hint ? `: ${hint}` : ''}`
    findings.push({ ...common, level: required ? 'warning' : 'info', code: 'property.no-values', message, fix })
  }
  return findings
}

const WORDS: Readonly<Record<string, string>> = {
  App: 'apps',
  ExternalProgramTask: 'external program tasks',
  ReloadTask: 'reload tasks',
  User: 'users',
  UserSyncTask: 'user synchronization tasks',
}
const wordsOf = (type: string): string => WORDS[type] ?? type

const isAccountProperty = ({ keys }: WantedProperty): boolean =>
  keys.every((key) => key.startsWith('incidentTool.newRelic.'))

/** Values that tasks can choose although the configuration has no such New Relic account. */
function accountFindings(config: Config, found: readonly PropertyDefinition[]): readonly Finding[] {
  const known = new Set(config.thirdPartyToolsCredentials.newRelic.map(({ accountName }) => accountName))
  const wanted = wantedProperties(config).filter(isAccountProperty)
  return wanted.flatMap(({ name, keys }) => {
    const unknown = found.find((one) => one.name === name)?.choiceValues.filter((value) => !known.has(value)) ?? []
    if (unknown.length === 0) return []
    const message = `offers ${some(unknown, 10)}, but no New Relic account of that name is configured: what is meant for it goes nowhere`
    const fix = `add the account to Butler.thirdPartyToolsCredentials.newRelic, or take the value out of "${name}" ${PLACE}`
    return [{ level: 'warning', code: 'property.account', target: name, message, fix, key: keys[0]! }] as const
  })
}

interface Named {
  readonly kind: 'task' | 'app' | 'tag'
  readonly value: string
  /** Below 'Butler'. */
  readonly key: string
  readonly exact?: boolean
  /** The path of another file than the configuration. */
  readonly where?: string
}

export async function selectionFindings(site: Site, context: DoctorContext): Promise<readonly Finding[]> {
  const { config } = context
  const named = [...ofFilter(config), ...ofRoutes(config), ...ofPolicies(config), ...(await ofSchedules(context))]
  if (named.length === 0) return []
  const known = await knownOf(site, named)
  const findings = named.filter((one) => !known[one.kind].has(keyOf(one))).map(unknown)
  if (findings.length > 0) return findings
  const message = `${plural(named.length, 'task, app or tag').replace(/tags$/, 'tags')} of the configuration found on the site`
  return [{ level: 'ok', code: 'selection.known', target: site.target, message }]
}

/** The start filter takes names of tags as they are written; everything else is the same in any case. */
const keyOf = ({ kind, value, exact }: Named): string => (kind === 'tag' && exact ? value : value.toLowerCase())

/** Asked for by name and id, as a list of everything may be cut at the site's record limit. */
async function knownOf(site: Site, named: readonly Named[]): Promise<Record<Named['kind'], ReadonlySet<string>>> {
  const valuesOf = (kind: Named['kind']) => [
    ...new Set(named.filter((one) => one.kind === kind).map(({ value }) => value)),
  ]
  const tasks = valuesOf('task').length > 0 ? await site.tasks() : []
  const ids = valuesOf('app').filter(isGuid)
  const apps = await listed(site, 'app', ids, (id) => guid('id', id))
  const tags = await listed(site, 'tag', valuesOf('tag'), (name) => eq('name', name))
  return {
    task: new Set(tasks.map(({ id }) => id.toLowerCase())),
    app: new Set(apps.map(({ id }) => String(id).toLowerCase())),
    tag: new Set(tags.flatMap(({ name }) => [String(name), String(name).toLowerCase()])),
  }
}

const PER_REQUEST = 20

async function listed(
  site: Site,
  path: string,
  values: readonly string[],
  filter: (value: string) => string,
): Promise<readonly Json[]> {
  const found: Json[] = []
  for (let from = 0; from < values.length; from += PER_REQUEST) {
    found.push(...(await site.list(path, or(...values.slice(from, from + PER_REQUEST).map(filter)))))
  }
  return found
}

function unknown({ kind, value, key, where, exact }: Named): Finding {
  const place = where ?? `Butler.${key}`
  const message = `the site has no ${kind} "${value}", which ${place} names`
  const fix =
    kind === 'tag'
      ? `make the tag in the QMC, or correct ${place}${exact ? '; upper and lower case count' : ''}`
      : `copy the id of the ${kind} from the QMC (column "ID") into ${place}, or take it out there`
  return { level: 'warning', code: `selection.${kind}`, target: value, message, fix, key }
}

function ofFilter({ startTaskFilter: { enable, allowTask } }: Config): Named[] {
  if (!enable) return []
  const key = 'startTaskFilter.allowTask'
  return [
    ...allowTask.taskId
      .map((value, index) => ({ kind: 'task', value, key: `${key}.taskId[${index}]` }) as const)
      // Malformed ids are reported by the check of the configuration.
      .filter(({ value }) => isGuid(value)),
    ...allowTask.tag.map((value, index) => ({ kind: 'tag', value, exact: true, key: `${key}.tag[${index}]` }) as const),
  ]
}

function ofRoutes({ footman }: Config): Named[] {
  return footman.alertRoutes.flatMap((route, index) => {
    if (!route.enable) return []
    const parts = [
      ['match', route.match ?? []],
      ['except', route.except ?? []],
    ] as const
    return parts.flatMap(([part, matches]) =>
      matches.flatMap((match) => ofMatch(match, `footman.alertRoutes[${index}].${part}`)),
    )
  })
}

function ofPolicies({ footman }: Config): Named[] {
  return footman.taskPolicies.flatMap(({ match = [] }, index) =>
    match.flatMap((one) => ofMatch(one, `footman.taskPolicies[${index}].match`)),
  )
}

type Match = NonNullable<Config['footman']['alertRoutes'][number]['match']>[number]

function ofMatch(
  { taskId, appId, taskTag, appTag }: Pick<Match, 'taskId' | 'appId' | 'taskTag' | 'appTag'>,
  key: string,
): Named[] {
  const tags = [taskTag, appTag].flatMap((tag) => (tag ? ('any' in tag ? tag.any : tag.all) : []))
  return [
    ...(taskId ?? []).map((value) => ({ kind: 'task', value, key: `${key}.taskId` }) as const),
    ...(appId ?? []).map((value) => ({ kind: 'app', value, key: `${key}.appId` }) as const),
    ...tags
      .filter((value): value is string => typeof value === 'string' && !/[*?!]/.test(value))
      .map((value) => ({ kind: 'tag', value, key: `${key}.taskTag` }) as const),
  ]
}

/** Tasks of the schedule file. Other problems of the file are reported by the check of the configuration. */
async function ofSchedules({ config: { scheduler }, paths }: DoctorContext): Promise<Named[]> {
  if (!scheduler.enable) return []
  const file = paths.input(scheduler.configfile)
  try {
    const content: unknown = parse(lenientText(await readFile(file)).text)
    const list = (content as { butlerSchedule?: unknown } | null)?.butlerSchedule
    if (!Array.isArray(list)) return []
    return list.flatMap((item: { qlikSenseTaskId?: unknown; name?: unknown } | null) => {
      const value = item?.qlikSenseTaskId
      if (typeof value !== 'string' || !isGuid(value)) return []
      const where = `the schedule "${String(item?.name ?? '')}" of ${file}`
      return [{ kind: 'task', value, key: 'scheduler.configfile', where } as const]
    })
  } catch {
    return []
  }
}

export async function nameFindings(site: Site, _context: DoctorContext): Promise<readonly Finding[]> {
  const [tasks, apps, users] = await Promise.all([
    site.tasks(),
    site.list('app', compare('name', 'so', ';')),
    site.list('user', compare('userId', 'so', ';')),
  ])
  const findings: Finding[] = []
  const kinds = [
    ['task', 'task', tasks.map(({ name }) => name)],
    ['app', 'app', apps.map(({ name }) => String(name ?? ''))],
  ] as const
  for (const [what, word, names] of kinds) {
    const found = names.filter((name) => name.includes(';'))
    if (found.length === 0) continue
    const message = `${plural(found.length, word)} with ";" in the name: ${some(found)}. Footman reads such messages and settles the names with Qlik Sense; Butler 16 drops them`
    const fix = `nothing needs to be done; a name without ";" also helps other programs that read these messages`
    findings.push({ level: 'info', code: `names.${what}`, target: site.target, message, fix })
  }
  const accounts = users.map(({ userId, userDirectory }) => `${userDirectory}\\${userId}`)
  const broken = accounts.filter((name) => name.includes(';'))
  if (broken.length > 0) {
    const message = `${plural(broken.length, 'user id')} with ";": ${some(broken)}. In messages about tasks that such a user starts, a part of the id is taken for the name of the app`
    const fix = 'start these tasks as another user, or give the account an id without ";"'
    findings.push({ level: 'warning', code: 'names.user', target: site.target, message, fix })
  }
  if (findings.length > 0) return findings
  return [
    { level: 'ok', code: 'names.plain', target: site.target, message: 'no name of a task, app or user holds ";"' },
  ]
}

const KEY = 'configQRS.headers.static'
/** Accounts of Qlik Sense itself, and the roles that may start every task. */
const INTERNAL = /^sa_(repository|scheduler|api|engine|proxy)$/i
const ROLES = ['RootAdmin', 'ContentAdmin', 'DeploymentAdmin']

export async function rightsFindings(site: Site, { config }: DoctorContext): Promise<readonly Finding[]> {
  const identity = identityOf(config.configQRS.headers.static, KEY)
  if ('problem' in identity) return []
  const { directory, userId, name } = identity
  const transport = await site.transport()
  const count = toCount((await transport.json({ path: 'task/count' })).value) ?? 0
  if (count === 0) {
    const fix = `give ${name} the role ContentAdmin in the QMC, or use sa_repository in Butler.${KEY}`
    const message = `${name} sees no task: the site has none, or the user has no right to read them`
    return [{ level: 'warning', code: 'rights.no-tasks', target: name, message, fix, key: KEY }]
  }
  const refused = await refusedReads(site)
  if (refused.length > 0) return refused
  const reads: Finding = {
    level: 'ok',
    code: 'rights.read',
    target: name,
    key: KEY,
    message: `may read tasks (${plural(count, 'task')}), results and sessions of executions`,
  }
  if (!startsTasks(config)) return [reads]
  if (directory.toLowerCase() === 'internal' && INTERNAL.test(userId)) {
    return [reads, { level: 'ok', code: 'rights.start', target: name, message: 'may start tasks', key: KEY }]
  }
  const [user] = await site.list('user', and(eq('userDirectory', directory), eq('userId', userId)))
  const roles = Array.isArray(user?.roles) ? user.roles.map(String) : []
  const role = ROLES.find((one) => roles.includes(one))
  if (role) {
    return [reads, { level: 'ok', code: 'rights.start', target: name, message: `may start tasks (${role})`, key: KEY }]
  }
  const message = `has none of the roles ${ROLES.join(', ')}: starting tasks is refused unless a security rule of its own allows it`
  const fix = `give ${name} the role ContentAdmin in the QMC, or use sa_repository in Butler.${KEY}`
  return [reads, { level: 'warning', code: 'rights.start', target: name, message, fix, key: KEY }]
}

/** No execution has this id: only whether the question is allowed counts. */
const NO_EXECUTION = '00000000-0000-4000-8000-000000000000'

/** Alerts and lists of executions need these answers. */
async function refusedReads(site: Site): Promise<readonly Finding[]> {
  const client = await site.client()
  const questions = [
    ['errors, run times and script logs are missing', () => client.executionResults(NO_EXECUTION)],
    ['running executions are not followed', () => client.executionSession(NO_EXECUTION)],
  ] as const
  const findings: Finding[] = []
  for (const [without, ask] of questions) {
    try {
      await ask()
    } catch (error) {
      if (!(error instanceof QrsError) || error.missingRight === null) throw error
      findings.push(refusedFinding('rights', site, error, without))
    }
  }
  return findings
}

function startsTasks({ restServerConfig, restServerEndpointsEnable, mqttConfig, scheduler, footman }: Config): boolean {
  const byRest = restServerConfig.enable && restServerEndpointsEnable.senseStartTask
  return byRest || mqttConfig.enable || scheduler.enable || footman.retryPolicy.enable
}
