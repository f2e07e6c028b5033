/** Endpoints of the hub: its reports for readers and programs, and who opened the documents of a run. */
import { z } from 'zod'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { Reader } from './login.ts'
import type { HubItem, HubListItem } from './store.ts'
import { type HubParts, hubRoot } from './types.ts'

const FILE = once(() =>
  z.object({
    n: z.int(),
    fileName: z.string(),
    bytes: z.int(),
    sha256: z.string(),
    url: z.string(),
  }),
)
const ITEM = once(() =>
  z.looseObject({
    id: z.string(),
    title: z.string(),
    project: z.string(),
    taskName: z.string(),
    publishedAt: z.string(),
    test: z.boolean(),
    files: z.array(FILE()),
  }),
)
const LIST_QUERY = once(() =>
  z.object({
    q: queryField.text().describe('Part of title, project or file name.').optional(),
    project: queryField.text().optional(),
    unread: queryField.word(['1', '0']).describe('`1`: only what the reader has not opened.').optional(),
    limit: queryField.integer(1, 500).optional(),
    offset: queryField.integer(0, 10_000_000).optional(),
  }),
)

/** For programs: with a session of the hub, or with a key that may read reports. */
export function hubApiRoutes(
  { store, logins }: Pick<HubParts, 'store' | 'logins'>,
  hasRun: (id: string) => boolean,
): ApiRoute[] {
  function readerOf(request: ApiRequest): Reader {
    const reader = logins.readerOf(request)
    if (reader) return reader
    if (request.sees('report:read')) return { address: null, name: request.caller.actor, session: null }
    const needed = refusal('UNAUTHENTICATED', 'Send the session of the hub, or a key with the scope report:read.')
    throw request.caller.refusal('report:read') ?? needed
  }

  const shown = (request: ApiRequest, item: HubItem | HubListItem) => {
    const { id, title, project, taskName, publishedAt, test, version, fileName, bytes, sha256 } = item
    const files = [{ n: 1, fileName, bytes, sha256, url: `${hubRoot(request)}/items/${id}/files/1` }]
    const listed = 'versions' in item ? { versions: item.versions, unread: item.unread } : {}
    return { id, title, project, taskName, publishedAt: instant(publishedAt), test, version, ...listed, files }
  }

  return [
    route({
      method: 'GET',
      path: '/v4/hub/items',
      summary: 'List the reports in the hub, newest first',
      description:
        'Each report once, with its newest version. A reader (cookie of the hub) gets what was published for it; a key with `report:read` gets everything.',
      query: LIST_QUERY,
      answers: () => ({ 200: z.looseObject({ hubItems: z.array(ITEM()), total: z.int() }) }),
      handle(request) {
        const { limit = 100, offset = 0, unread, q, project } = request.query
        const seen = request as unknown as ApiRequest
        const { items, total } = store.list(readerOf(seen).address, {
          q,
          project,
          unread: unread === '1',
          limit,
          offset,
        })
        return jsonAnswer(200, { hubItems: items.map((item) => shown(seen, item)), total }, PRIVATE)
      },
    }),
    route({
      method: 'GET',
      path: '/v4/hub/items/{id}',
      summary: 'Show a report in the hub with its versions',
      params: () => z.object({ id: z.string().describe('Id of the item.') }),
      query: NO_QUERY,
      answers: () => ({ 200: ITEM(), 404: 'There is no such item for the caller.' }),
      handle(request) {
        const seen = request as unknown as ApiRequest
        const { address } = readerOf(seen)
        const { id } = request.params
        if (!isGuid(id)) throw refusal('INVALID_ID', 'Item ID must be a valid GUID')
        const item = store.item(address, id.toLowerCase())
        if (!item) throw refusal('DOCUMENT_GONE', id, { error: 'Hub item not found' })
        const versions = store.versions(address, item).map((one) => shown(seen, one))
        return jsonAnswer(200, { ...shown(seen, item), versions }, PRIVATE)
      },
    }),
    route({
      method: 'GET',
      path: '/v4/reportrun/{runId}/reads',
      scope: 'report:read',
      summary: 'List who opened the documents of a run in the hub',
      params: () => z.object({ runId: z.string().describe('Id of the run.') }),
      query: NO_QUERY,
      answers: () => ({
        200: z.looseObject({
          reads: z.array(
            z.looseObject({
              document: z.string(),
              recipient: z.string(),
              at: z.string(),
              version: z.int(),
              how: z.enum(['view', 'download']),
            }),
          ),
        }),
        404: 'There is no such run.',
      }),
      handle({ params: { runId } }) {
        if (!isGuid(runId))
          throw refusal('INVALID_ID', 'Run ID must be a valid GUID', { error: 'Invalid run ID format' })
        const id = runId.toLowerCase()
        if (!hasRun(id)) throw refusal('RUN_NOT_FOUND', runId)
        return jsonAnswer(200, { reads: store.reads(id) }, PRIVATE)
      },
    }),
  ]
}

const PRIVATE = { 'cache-control': 'private, no-store' }

const instant = (at: number): string => new Date(at).toISOString()
