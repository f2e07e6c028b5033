/** Tasks, apps and tags that the configuration names: do they exist on the site? */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import type { Config } from '../../../app/schema.ts'
import { isGuid } from '../../../platform/uuid.ts'
import { eq, guid, or } from '../../../qlik/qrs/filter.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { plural } from './probe.ts'
import type { Json, Site } from './site.ts'

const GROUP = 'selection'

interface Named {
  readonly kind: 'task' | 'app' | 'tag'
  readonly value: string
  /** Below `Butler`. */
  readonly key: string
  readonly exact?: boolean
  /** Of another file than the configuration. */
  readonly where?: string
}

export async function selectionFindings(site: Site, context: DoctorContext): Promise<readonly Finding[]> {
  const { config } = context
  const named = [...ofFilter(config), ...ofRoutes(config), ...(await ofSchedules(context))]
  if (named.length === 0) return []
  const known = await knownOf(site, named)
  const findings = named.filter((one) => !known[one.kind].has(keyOf(one))).map(unknown)
  if (findings.length > 0) return findings
  const message = `${plural(named.length, 'task, app or tag').replace(/tags$/, 'tags')} of the configuration found on the site`
  return [{ level: 'ok', code: `${GROUP}.known`, target: site.target, message }]
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
  return { level: 'warning', code: `${GROUP}.${kind}`, target: value, message, fix, key }
}

function ofFilter({ startTaskFilter: { enable, allowTask } }: Config): Named[] {
  if (!enable) return []
  const key = 'startTaskFilter.allowTask'
  return [
    ...allowTask.taskId
      .map((value, index) => ({ kind: 'task', value, key: `${key}.taskId[${index}]` }) as const)
      // What is no id at all is told by the check of the file.
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

type Match = NonNullable<Config['footman']['alertRoutes'][number]['match']>[number]

function ofMatch({ taskId, appId, taskTag, appTag }: Match, key: string): Named[] {
  const tags = [taskTag, appTag].flatMap((tag) => (tag ? ('any' in tag ? tag.any : tag.all) : []))
  return [
    ...(taskId ?? []).map((value) => ({ kind: 'task', value, key: `${key}.taskId` }) as const),
    ...(appId ?? []).map((value) => ({ kind: 'app', value, key: `${key}.appId` }) as const),
    ...tags
      .filter((value): value is string => typeof value === 'string' && !/[*?!]/.test(value))
      .map((value) => ({ kind: 'tag', value, key: `${key}.taskTag` }) as const),
  ]
}

/** Tasks of the schedule file; what else is wrong with the file is told by the check of the configuration. */
async function ofSchedules({ config: { scheduler }, paths }: DoctorContext): Promise<Named[]> {
  if (!scheduler.enable) return []
  const file = paths.input(scheduler.configfile)
  try {
    const content: unknown = parse(await readFile(file, 'utf8'))
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
