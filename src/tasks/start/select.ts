/** Which tasks a request means: look-ups in QRS, the allow filter, union or intersection. Starts nothing. */

import type { TaskSelectors } from '../../http/endpoint/caller.ts'
import { globMatcher } from '../../platform/glob.ts'
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { isTimeout, reasonOf } from '../../qlik/qrs/failure.ts'
import { and, compare, customProperty, eq, guid, or } from '../../qlik/qrs/filter.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import {
  type CustomPropertySelector,
  type KnownSoFar,
  LookupError,
  type SelectedTask,
  type StartOrigin,
  type StartRequest,
} from './types.ts'

export interface Selection extends KnownSoFar {
  /** Every match, duplicates included. */
  readonly matches: readonly (SelectedTask & { readonly task: QrsTask })[]
}

type Match = Selection['matches'][number]

/** Rejects with a `LookupError` when QRS cannot be asked. */
export async function selectTasks(
  qrs: QrsClient,
  filter: StartFilter | null,
  request: StartRequest,
): Promise<Selection> {
  const wanted = allowedSelectors(filter, request)
  const ids = sortIds(qrs, filter, request.taskIds)
  const others = request.match === 'all' ? matchAll(qrs, filter, request, wanted, ids) : matchAny(qrs, filter, wanted)
  const [idResult, otherResult] = await Promise.allSettled([ids, others])
  const sorted = idResult.status === 'fulfilled' ? idResult.value : NO_IDS
  const found = otherResult.status === 'fulfilled' ? otherResult.value : NO_MATCHES
  const known: KnownSoFar = {
    notFound: sorted.notFound,
    denied: {
      taskIds: [...new Set([...sorted.denied, ...found.denied])],
      tags: wanted.deniedTags,
      customProperties: wanted.deniedProperties,
    },
  }
  const failure = idResult.status === 'rejected' ? idResult : otherResult
  if (failure.status === 'rejected') {
    throw new LookupError(isTimeout(failure.reason), reasonOf(failure.reason), known, failure.reason)
  }
  return { ...known, matches: request.match === 'all' ? found.matches : [...sorted.matches, ...found.matches] }
}

interface AllowedSelectors {
  readonly tags: readonly string[]
  readonly properties: readonly CustomPropertySelector[]
  /** Whether a task found by its name may be started is known once it is found. */
  readonly names: readonly string[]
  readonly deniedTags: readonly string[]
  readonly deniedProperties: readonly CustomPropertySelector[]
}

function allowedSelectors(filter: StartFilter | null, request: StartRequest): AllowedSelectors {
  const tagAllowed = (tag: string) => filter?.allowsTag(tag) ?? true
  const propertyAllowed = (one: CustomPropertySelector) => filter?.allowsProperty(one) ?? true
  return {
    tags: request.tags.filter(tagAllowed),
    properties: request.customProperties.filter(propertyAllowed),
    names: request.taskNames ?? [],
    deniedTags: request.tags.filter((tag) => !tagAllowed(tag)),
    deniedProperties: request.customProperties.filter((one) => !propertyAllowed(one)),
  }
}

interface SortedIds {
  readonly matches: readonly Match[]
  readonly notFound: readonly string[]
  readonly denied: readonly string[]
}

const NO_IDS: SortedIds = { matches: [], notFound: [], denied: [] }

async function sortIds(qrs: QrsClient, filter: StartFilter | null, ids: readonly string[]): Promise<SortedIds> {
  const tasks = await tasksById(qrs, ids.filter(isGuid))
  const matches: Match[] = []
  const notFound = new Map<string, string>()
  const denied = new Map<string, string>()
  for (const id of ids) {
    const task = tasks.get(id.toLowerCase())
    if (isGuid(id) && filter && !filter.allowsId(id, task)) denied.set(id.toLowerCase(), id)
    else if (task) matches.push(matchOf(task, 'id', id))
    else notFound.set(id.toLowerCase(), id)
  }
  return { matches, notFound: [...notFound.values()], denied: [...denied.values()] }
}

/** Tasks found by something else than their ids. */
interface Found {
  readonly matches: readonly Match[]
  /** Ids of tasks that were found by their names and may not be started. */
  readonly denied: readonly string[]
}

const NO_MATCHES: Found = { matches: [], denied: [] }

async function matchAny(
  qrs: QrsClient,
  filter: StartFilter | null,
  { tags, properties, names }: AllowedSelectors,
): Promise<Found> {
  const [tagged, withProperty, named] = await Promise.all([
    tasksByTag(qrs, tags),
    tasksByProperty(qrs, properties),
    tasksByName(qrs, names),
  ])
  const matches = [
    ...tags.flatMap((tag) => unique(tagged, (task) => hasTag(task, tag)).map((task) => matchOf(task, 'tag', tag))),
    ...properties.flatMap((one) =>
      unique(withProperty, (task) => hasProperty(task, one)).map((task) =>
        matchOf(task, 'customProperty', `${one.name}=${one.value}`),
      ),
    ),
  ]
  const byName = names.flatMap((glob) => {
    const isNamed = globMatcher([glob])
    return unique(named, (task) => isNamed(task.name)).map((task) => matchOf(task, 'name', glob))
  })
  const allowed = onlyAllowed(filter, byName)
  return { matches: [...matches, ...allowed.matches], denied: allowed.denied }
}

function onlyAllowed(filter: StartFilter | null, matches: readonly Match[]): Found {
  const isAllowed = ({ task }: Match) => filter?.allowsId(task.id, task) ?? true
  const denied = matches.filter((match) => !isAllowed(match)).map(({ taskId }) => taskId)
  return { matches: matches.filter(isAllowed), denied: [...new Set(denied)] }
}

/** A denied selector leaves nothing: without it the rest would select more than was asked for. */
async function matchAll(
  qrs: QrsClient,
  filter: StartFilter | null,
  { taskIds, tags, customProperties }: StartRequest,
  { names, deniedTags, deniedProperties }: AllowedSelectors,
  ids: Promise<SortedIds>,
): Promise<Found> {
  if (deniedTags.length + deniedProperties.length > 0) return NO_MATCHES
  const isNamed = names.length > 0 ? globMatcher(names) : () => true
  const isMeant = (task: QrsTask) =>
    isNamed(task.name) &&
    tags.every((tag) => hasTag(task, tag)) &&
    customProperties.every((one) => hasProperty(task, one))
  if (taskIds.length > 0) return { matches: (await ids).matches.filter(({ task }) => isMeant(task)), denied: [] }
  if (tags.length + customProperties.length + names.length === 0) return NO_MATCHES
  const candidates = await tasksWithAll(qrs, tags, customProperties, names)
  const by = tags.length > 0 ? 'tag' : customProperties.length > 0 ? 'customProperty' : 'name'
  const selector = [...tags, ...customProperties.map((one) => `${one.name}=${one.value}`), ...names].join(' and ')
  const matches = unique(candidates, isMeant).map((task) => matchOf(task, by, selector))
  return by === 'name' ? onlyAllowed(filter, matches) : { matches, denied: [] }
}

/** Several requests may have brought the same task. */
function unique(tasks: readonly QrsTask[], wanted: (task: QrsTask) => boolean): readonly QrsTask[] {
  return [...new Map(tasks.filter(wanted).map((task) => [task.id, task])).values()]
}

function matchOf(task: QrsTask, by: SelectedTask['by'], selector: string): Match {
  return { taskId: task.id, taskName: task.name, by, selector, task }
}

// Look-ups in QRS with few requests: one `or` filter per kind of selector, in chunks that fit into a URL.

const IDS_PER_REQUEST = 30
const NAMES_PER_REQUEST = 10

/** Tasks by lower-case id; ids that QRS does not know are missing. All ids must be GUIDs. */
async function tasksById(qrs: QrsClient, ids: readonly string[]): Promise<Map<string, QrsTask>> {
  const wanted = [...new Set(ids.map((id) => id.toLowerCase()))]
  const found = await anyOf(
    qrs,
    wanted.map((id) => guid('id', id)),
    IDS_PER_REQUEST,
  )
  return new Map(found.map((task) => [task.id.toLowerCase(), task]))
}

/** Candidates only: QRS compares without case. */
function tasksByTag(qrs: QrsClient, tags: readonly string[]): Promise<readonly QrsTask[]> {
  return anyOf(qrs, [...new Set(tags)].map(tagFilter), NAMES_PER_REQUEST)
}

/** Candidates only: QRS checks name and value on their own. */
function tasksByProperty(qrs: QrsClient, properties: readonly CustomPropertySelector[]): Promise<readonly QrsTask[]> {
  return anyOf(qrs, [...new Set(properties.map(propertyFilter))], NAMES_PER_REQUEST)
}

/** Candidates only: tasks whose names hold the longest literal part of a glob. */
function tasksByName(qrs: QrsClient, globs: readonly string[]): Promise<readonly QrsTask[]> {
  return anyOf(qrs, [...new Set(globs.map(nameFilter))], NAMES_PER_REQUEST)
}

/** Candidates for carrying all of these; at least one must be given. */
function tasksWithAll(
  qrs: QrsClient,
  tags: readonly string[],
  properties: readonly CustomPropertySelector[],
  globs: readonly string[],
): Promise<readonly QrsTask[]> {
  const parts = [...tags.map(tagFilter), ...properties.map(propertyFilter)].slice(0, NAMES_PER_REQUEST)
  return parts.length > 0 ? qrs.tasks(and(...parts)) : tasksByName(qrs, globs)
}

const tagFilter = (tag: string): string => eq('tags.name', tag)
const propertyFilter = ({ name, value }: CustomPropertySelector): string => customProperty(name, value)

/** QRS has no word for "all". */
const EVERY_TASK = or(eq('enabled', true), eq('enabled', false))

function nameFilter(glob: string): string {
  if (!/[*?]/.test(glob)) return eq('name', glob)
  const literal = glob.split(/[*?]+/).reduce((longest, part) => (part.length > longest.length ? part : longest), '')
  return literal === '' ? EVERY_TASK : compare('name', 'so', literal)
}

async function anyOf(qrs: QrsClient, parts: readonly string[], perRequest: number): Promise<readonly QrsTask[]> {
  const found: QrsTask[] = []
  for (let from = 0; from < parts.length; from += perRequest) {
    const chunk = parts.slice(from, from + perRequest)
    found.push(...(await qrs.tasks(or(...chunk))))
  }
  return found
}

// QRS ignores case and compares each part of a custom property on its own; these checks are exact.

function hasTag(task: QrsTask, tag: string): boolean {
  return task.tags?.some((one) => one.name === tag) ?? false
}

function hasProperty(task: QrsTask, { name, value }: CustomPropertySelector): boolean {
  return task.customProperties?.some((one) => one.definition.name === name && one.value === value) ?? false
}

// `Butler.startTaskFilter`: which tasks may be started through Footman.

export interface StartFilterSettings {
  readonly startTaskFilter: { readonly enable: boolean; readonly allowTask: TaskSelectors }
  /** `Butler.footman.startFilter`. */
  readonly startFilter: { readonly appliesTo: readonly StartOrigin[] }
}

interface StartFilter {
  /** An id that is on the list, or whose task carries an allowed tag or custom property value. */
  allowsId(taskId: string, task: QrsTask | undefined): boolean
  /** All tasks of an allowed tag may be started, regardless of their ids. */
  allowsTag(tag: string): boolean
  /** Name and value as a pair. */
  allowsProperty(property: CustomPropertySelector): boolean
}

/** Null when nothing limits the request: neither the global filter for its origin nor its caller's grant. */
export function startFilterFor(
  origin: StartOrigin,
  { startTaskFilter, startFilter }: StartFilterSettings,
  limitedTo?: TaskSelectors,
): StartFilter | null {
  const isFiltered = startTaskFilter.enable && startFilter.appliesTo.includes(origin)
  const filters = [...(isFiltered ? [startTaskFilter.allowTask] : []), ...(limitedTo ? [limitedTo] : [])]
  const [first, ...others] = filters.map(filterOf)
  if (!first || others.length === 0) return first ?? null
  return allOf([first, ...others])
}

/** With empty lists nothing is allowed. */
function filterOf(allowed: TaskSelectors): StartFilter {
  const ids = new Set(allowed.taskId.map((id) => id.toLowerCase()))
  const tags = new Set(allowed.tag)
  const properties = allowed.customProperty
  const carriesAllowed = (task: QrsTask) =>
    allowed.tag.some((tag) => hasTag(task, tag)) || properties.some((property) => hasProperty(task, property))
  return {
    allowsId: (taskId, task) => ids.has(taskId.toLowerCase()) || (task !== undefined && carriesAllowed(task)),
    allowsTag: (tag) => tags.has(tag),
    allowsProperty: ({ name, value }) => properties.some((one) => one.name === name && one.value === value),
  }
}

const allOf = (filters: readonly StartFilter[]): StartFilter => ({
  allowsId: (taskId, task) => filters.every((filter) => filter.allowsId(taskId, task)),
  allowsTag: (tag) => filters.every((filter) => filter.allowsTag(tag)),
  allowsProperty: (property) => filters.every((filter) => filter.allowsProperty(property)),
})

/**
 * Warns about ids of the start filter that no task has. Run it once after the start; never rejects: when QRS cannot be
 * asked, only ids that are no GUIDs are named.
 */
export async function verifyStartFilter(
  deps: { readonly qrs: QrsClient; readonly log: Logger },
  { startTaskFilter: { enable, allowTask } }: Pick<StartFilterSettings, 'startTaskFilter'>,
): Promise<void> {
  const { qrs, log } = deps
  if (!enable || allowTask.taskId.length === 0) return
  log.info('CONFIG VERIFY: Verifying that task IDs are valid...')
  const known = await tasksById(qrs, allowTask.taskId.filter(isGuid)).catch((error: unknown) => {
    log.warn(`CONFIG VERIFY: The allowed task IDs could not be looked up: ${reasonOf(error)}`)
    return null
  })
  for (const id of allowTask.taskId) {
    const valid = isGuid(id) && (known === null || known.has(id.toLowerCase()))
    if (!valid) log.warn(`CONFIG VERIFY: Allowed task ID not valid: ${id}`)
  }
}
