/** The contracts of the hub for programs, and of the readers of the documents of a run. Times are ISO 8601. */
import { z } from 'zod'
import { type AnswerOf, contract } from '../../http/endpoint/contract.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'

const item = () =>
  z.strictObject({
    id: z.string(),
    title: z.string(),
    project: z.string(),
    taskName: z.string(),
    publishedAt: z.string(),
    test: z.boolean(),
    version: z.int().describe('From 1.'),
    files: z.array(
      z.strictObject({ n: z.int(), fileName: z.string(), bytes: z.int(), sha256: z.string(), url: z.string() }),
    ),
  })

export const HUB_ITEMS = contract({
  method: 'GET',
  path: '/v4/hub/items',
  query: () =>
    z.object({
      q: queryField.text().describe('Part of title, project or file name.').optional(),
      project: queryField.text().optional(),
      unread: queryField.word(['1', '0']).describe('`1`: only what the reader has not opened.').optional(),
      limit: queryField.integer(1, 500).optional(),
      offset: queryField.integer(0, 10_000_000).optional(),
    }),
  answers: () => ({
    200: z.strictObject({
      hubItems: z.array(
        item().extend({
          versions: z.int().describe('How many the reader may see.'),
          unread: z.boolean().describe('The reader has not opened this version.'),
        }),
      ),
      total: z.int(),
    }),
  }),
})
export type HubItems = AnswerOf<typeof HUB_ITEMS>

export const HUB_ITEM = contract({
  method: 'GET',
  path: '/v4/hub/items/{id}',
  params: () => z.object({ id: z.string().describe('Id of the item.') }),
  query: NO_QUERY,
  answers: () => ({ 200: item().extend({ versions: z.array(item()) }) }),
})

export const RUN_READS = contract({
  method: 'GET',
  path: '/v4/reportrun/{runId}/reads',
  params: () => z.object({ runId: z.string().describe('Id of the run.') }),
  query: NO_QUERY,
  answers: () => ({
    200: z.strictObject({
      reads: z.array(
        z.strictObject({
          document: z.string().describe('Id of the document.'),
          fileName: z.string(),
          recipient: z.string(),
          at: z.string(),
          version: z.int(),
          how: z.enum(['view', 'download']),
        }),
      ),
    }),
  }),
})
export type RunReads = AnswerOf<typeof RUN_READS>
