/** Which tasks a request means: look-ups in QRS, the allow filter, union or intersection. Starts nothing. */

import { globMatcher } from '../../platform/glob.ts'
import { isGuid } from '../../platform/uuid.ts'
import { isTimeout, reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { type KnownSoFar, LookupError } from './errors.ts'
import type { StartFilter } from './filter.ts'
import { tasksById, tasksByName, tasksByProperty, tasksByTag, tasksWithAll } from './lookup.ts'
import { hasProperty, hasTag } from './match.ts'
import type { CustomPropertySelector, SelectedTask, StartRequest } from './types.ts'

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
