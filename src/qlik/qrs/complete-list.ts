/**
 * A site may cut lists at its record limit without notice. Long answers are compared with the count, and what is
 * missing is fetched by id. All tasks of a large site are read in pages from the beginning: one answer with all of them
 * would be hundreds of megabytes.
 */

import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from './errors.ts'
import { guid, or } from './filter.ts'
import { toCount } from './normalise.ts'
import type { QrsTransport } from './transport.ts'

/** No site is known to cut lists shorter than this. */
const SUSPICIOUS_LENGTH = 50
const IDS_PER_REQUEST = 30
/** Rows of one answer of `task/table`. */
const ROWS_PER_REQUEST = 1000
/** Sites with more tasks are never asked for all of them at once. */
export const SMALL_SITE = 500
const MAX_RESTARTS = 5
/** No site has so many tasks: a server that pages for ever is not followed. */
const MOST_ROWS = 500_000

/** `task/full?filter=...`, complete; without a filter all tasks. */
export async function completeTaskList(
  deps: { transport: QrsTransport; log: Logger },
  filter: Filter,
  signal?: AbortSignal,
): Promise<readonly unknown[]> {
  const first = await listOf(deps.transport, filter, signal)
  if (first.length < SUSPICIOUS_LENGTH) return first
  try {
    const count = await countOf(deps.transport, filter, signal)
    if (count <= first.length) return first
    deps.log.verbose(`QRS: the list of tasks was cut at ${first.length} of ${count}, fetching the rest`)
    const known = new Set(first.map(idOf))
    const missing = (await idsOf(deps.transport, filter, signal)).filter((id) => !known.has(id))
    const rest: unknown[] = []
    for (let from = 0; from < missing.length; from += IDS_PER_REQUEST) {
      const chunk = missing.slice(from, from + IDS_PER_REQUEST)
      rest.push(...(await listOf(deps.transport, or(...chunk.map((id) => guid('id', id))), signal)))
    }
    return [...first, ...rest]
  } catch (error) {
    // A server without counts or tables: better a list that may be cut than none.
    if (!(error instanceof QrsError) || !['status', 'shape', 'notJson'].includes(error.kind)) throw error
    deps.log.warn(`QRS: cannot check whether a list of ${first.length} tasks is complete`, { error })
    return first
  }
}

/**
 * All tasks of the site, in batches; one alone on a small site. On a large site those that are not wanted are left out:
 * `isWanted` is asked right before the request for the task.
 */
export async function* taskBatches(
  deps: { transport: QrsTransport; log: Logger },
  signal?: AbortSignal,
  isWanted: (taskId: string) => boolean = () => true,
): AsyncGenerator<readonly unknown[]> {
  if (((await countOrNull(deps, null, signal)) ?? 0) <= SMALL_SITE) {
    yield await completeTaskList(deps, null, signal)
    return
  }
  const ids = (await taskRows(deps.transport, ID_ROWS, null, signal)).map(([id]) => id)
  for (let next = 0; next < ids.length; ) {
    const chunk: string[] = []
    for (; next < ids.length && chunk.length < IDS_PER_REQUEST; next += 1) {
      if (isWanted(ids[next]!)) chunk.push(guid('id', ids[next]!))
    }
    if (chunk.length > 0) yield await listOf(deps.transport, or(...chunk), signal)
  }
}

/** Null from a server without counts. */
export async function countOrNull(
  { transport, log }: { transport: QrsTransport; log: Logger },
  filter: Filter,
  signal?: AbortSignal,
): Promise<number | null> {
  try {
    return await countOf(transport, filter, signal)
  } catch (error) {
    if (!(error instanceof QrsError) || !['status', 'shape', 'notJson'].includes(error.kind)) throw error
    log.verbose('QRS: the number of tasks is not known', { error })
    return null
  }
}

/** Ids of all tasks, lower case. Rejects with kind `shape` when they are fewer than QRS counts. */
export async function completeTaskIds(transport: QrsTransport, signal?: AbortSignal): Promise<ReadonlySet<string>> {
  const ids = await idsOf(transport, null, signal)
  const count = await countOf(transport, null, signal)
  const found = new Set(ids.map((id) => id.toLowerCase()))
  if (count <= found.size) return found
  throw transport.unusable({ path: 'task/table' }, `the list holds ${found.size} of ${count} tasks`)
}

type Filter = string | null

const queryOf = (filter: Filter): Record<string, string> => (filter === null ? {} : { filter })

function listOf(transport: QrsTransport, filter: Filter, signal?: AbortSignal): Promise<readonly unknown[]> {
  return transport.list({ path: 'task/full', query: queryOf(filter), signal })
}

async function countOf(transport: QrsTransport, filter: Filter, signal?: AbortSignal): Promise<number> {
  const request = { path: 'task/count', query: queryOf(filter), signal }
  const count = toCount((await transport.json(request)).value)
  if (count === null) throw transport.unusable(request, 'a number was expected')
  return count
}

/** Which table, and the paths of its columns; the first is the id. */
export interface TableColumns {
  readonly entity: 'Task' | 'ReloadTask'
  readonly paths: readonly ['id', ...string[]]
}

const ID_ROWS: TableColumns = { entity: 'Task', paths: ['id'] }

const idsOf = async (transport: QrsTransport, filter: Filter, signal?: AbortSignal): Promise<string[]> =>
  (await taskRows(transport, ID_ROWS, filter, signal)).map(([id]) => id)

/**
 * Pages through `task/table`, which the record limit does not touch: the texts of the columns, '' where there is none.
 * Pages overlap by one row: a task that is deleted meanwhile moves another one to the page before, unread; then the list
 * is read anew.
 */
export async function taskRows(
  transport: QrsTransport,
  { entity, paths }: TableColumns,
  filter: Filter,
  signal?: AbortSignal,
): Promise<(readonly [id: string, ...string[]])[]> {
  let found: (readonly [string, ...string[]])[] = []
  const columns = paths.map((path) => ({ name: path, columnType: 'Property', definition: path }))
  for (let restarts = 0; ; ) {
    const query = {
      ...queryOf(filter),
      skip: String(Math.max(0, found.length - 1)),
      take: String(ROWS_PER_REQUEST),
      sortColumn: 'id',
      orderAscending: 'true',
    }
    const path = `${entity === 'Task' ? 'task' : 'reloadtask'}/table`
    const request = { method: 'POST', path, query, body: { entity, columns }, expected: [200, 201], signal } as const
    const rows = ((await transport.json(request)).value as { rows?: unknown } | null)?.rows
    if (!Array.isArray(rows)) throw transport.unusable(request, 'rows were expected')
    const page = rows.map(cellsOf)
    if (!page.every(([id]) => isGuid(id))) throw transport.unusable(request, 'an id was expected in each row')
    if (found.length > 0 && page.shift()?.[0] !== found.at(-1)?.[0]) {
      if (++restarts > MAX_RESTARTS) throw transport.unusable(request, 'the list of tasks changes all the time')
      found = []
      continue
    }
    found.push(...page)
    if (rows.length < ROWS_PER_REQUEST) return found
    if (found.length > MOST_ROWS) throw transport.unusable(request, `more than ${MOST_ROWS} rows`)
  }
}

function cellsOf(row: unknown): readonly [string, ...string[]] {
  const [id = '', ...others] = Array.isArray(row) ? row.map((cell) => String(cell ?? '')) : []
  return [id, ...others]
}

const idOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'id' in value ? value.id : null
