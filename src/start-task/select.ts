/** Which tasks a request means: look-ups in QRS, the allow filter, union or intersection. Starts nothing. */
import { isGuid } from '../platform/uuid.ts'
import { isTimeout, reasonOf } from '../qlik/qrs/failure.ts'
import type { QrsClient, QrsTask } from '../qlik/qrs/types.ts'
import { type KnownSoFar, LookupError } from './errors.ts'
import type { StartFilter } from './filter.ts'
import { tasksById, tasksByProperty, tasksByTag, tasksWithAll } from './lookup.ts'
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
  const byName = request.match === 'all' ? matchAll(qrs, request, wanted, ids) : matchAny(qrs, wanted)
  const [idResult, nameResult] = await Promise.allSettled([ids, byName])
  const sorted = idResult.status === 'fulfilled' ? idResult.value : NO_IDS
  const known: KnownSoFar = {
    notFound: sorted.notFound,
    denied: { taskIds: sorted.denied, tags: wanted.deniedTags, customProperties: wanted.deniedProperties },
  }
  const failure = idResult.status === 'rejected' ? idResult : nameResult
  if (failure.status === 'rejected') {
    throw new LookupError(isTimeout(failure.reason), reasonOf(failure.reason), known, failure.reason)
  }
  const named = nameResult.status === 'fulfilled' ? nameResult.value : []
  return { ...known, matches: request.match === 'all' ? named : [...sorted.matches, ...named] }
}

interface AllowedSelectors {
  readonly tags: readonly string[]
  readonly properties: readonly CustomPropertySelector[]
  readonly deniedTags: readonly string[]
  readonly deniedProperties: readonly CustomPropertySelector[]
}

function allowedSelectors(filter: StartFilter | null, request: StartRequest): AllowedSelectors {
  const tagAllowed = (tag: string) => filter?.allowsTag(tag) ?? true
  const propertyAllowed = (one: CustomPropertySelector) => filter?.allowsProperty(one) ?? true
  return {
    tags: request.tags.filter(tagAllowed),
    properties: request.customProperties.filter(propertyAllowed),
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

async function matchAny(qrs: QrsClient, { tags, properties }: AllowedSelectors): Promise<readonly Match[]> {
  const [tagged, withProperty] = await Promise.all([tasksByTag(qrs, tags), tasksByProperty(qrs, properties)])
  return [
    ...tags.flatMap((tag) => unique(tagged, (task) => hasTag(task, tag)).map((task) => matchOf(task, 'tag', tag))),
    ...properties.flatMap((one) =>
      unique(withProperty, (task) => hasProperty(task, one)).map((task) =>
        matchOf(task, 'customProperty', `${one.name}=${one.value}`),
      ),
    ),
  ]
}

/** A denied selector leaves nothing: without it the rest would select more than was asked for. */
async function matchAll(
  qrs: QrsClient,
  request: StartRequest,
  wanted: AllowedSelectors,
  ids: Promise<SortedIds>,
): Promise<readonly Match[]> {
  if (wanted.deniedTags.length + wanted.deniedProperties.length > 0) return []
  const carriesAll = (task: QrsTask) =>
    request.tags.every((tag) => hasTag(task, tag)) && request.customProperties.every((one) => hasProperty(task, one))
  if (request.taskIds.length > 0) return (await ids).matches.filter((match) => carriesAll(match.task))
  if (request.tags.length + request.customProperties.length === 0) return []
  const candidates = await tasksWithAll(qrs, request.tags, request.customProperties)
  const by = request.tags.length > 0 ? 'tag' : 'customProperty'
  const selector = [...request.tags, ...request.customProperties.map((one) => `${one.name}=${one.value}`)].join(' and ')
  return unique(candidates, carriesAll).map((task) => matchOf(task, by, selector))
}

/** Several requests may have brought the same task. */
function unique(tasks: readonly QrsTask[], wanted: (task: QrsTask) => boolean): readonly QrsTask[] {
  return [...new Map(tasks.filter(wanted).map((task) => [task.id, task])).values()]
}

function matchOf(task: QrsTask, by: SelectedTask['by'], selector: string): Match {
  return { taskId: task.id, taskName: task.name, by, selector, task }
}
