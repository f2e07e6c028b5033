/**
 * Lists may be cut at the site's record limit without a word. Long answers are compared with the count, and what is
 * missing is fetched by id.
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
const ROWS_PER_REQUEST = 500
const MAX_RESTARTS = 5

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
    deps.log.warn(`QRS: cannot tell whether a list of ${first.length} tasks is complete`, { error })
    return first
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

async function listOf(transport: QrsTransport, filter: Filter, signal?: AbortSignal): Promise<readonly unknown[]> {
  const request = { path: 'task/full', query: queryOf(filter), signal }
  const { value } = await transport.json(request)
  if (!Array.isArray(value)) throw transport.unusable(request, 'a list was expected')
  return value
}

async function countOf(transport: QrsTransport, filter: Filter, signal?: AbortSignal): Promise<number> {
  const request = { path: 'task/count', query: queryOf(filter), signal }
  const count = toCount((await transport.json(request)).value)
  if (count === null) throw transport.unusable(request, 'a number was expected')
  return count
}

/**
 * Pages through `task/table`, which the record limit does not touch. Pages overlap by one row: a task that is deleted
 * meanwhile moves another one to the page before, unread; then the list is read anew.
 */
async function idsOf(transport: QrsTransport, filter: Filter, signal?: AbortSignal): Promise<string[]> {
  let ids: string[] = []
  for (let restarts = 0; ; ) {
    const query = {
      ...queryOf(filter),
      skip: String(Math.max(0, ids.length - 1)),
      take: String(ROWS_PER_REQUEST),
      sortColumn: 'id',
      orderAscending: 'true',
    }
    const body = { entity: 'Task', columns: [{ name: 'id', columnType: 'Property', definition: 'id' }] }
    const request = { method: 'POST', path: 'task/table', query, body, expected: [200, 201], signal } as const
    const rows = ((await transport.json(request)).value as { rows?: unknown } | null)?.rows
    if (!Array.isArray(rows)) throw transport.unusable(request, 'rows were expected')
    const page = rows.map((row) => (Array.isArray(row) ? String(row[0]) : ''))
    if (!page.every(isGuid)) throw transport.unusable(request, 'an id was expected in each row')
    if (ids.length > 0 && page.shift() !== ids.at(-1)) {
      if (++restarts > MAX_RESTARTS) throw transport.unusable(request, 'the list of tasks changes all the time')
      ids = []
      continue
    }
    ids.push(...page)
    if (rows.length < ROWS_PER_REQUEST) return ids
  }
}

const idOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'id' in value ? value.id : null
