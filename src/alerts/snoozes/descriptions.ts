/** What the description of the API says about snoozes. */
import { z } from 'zod'
import { LIST_PARAMETERS } from '../../http/endpoint/list-query.ts'
import type { RouteDescription } from '../../http/endpoint/route.ts'

export const BODY = {
  match: z
    .looseObject({})
    .describe('Fields as in a match of `alertRoutes`, without regular expressions; `outcome` defaults to "*".'),
  for: z.string().describe('How long, like `2h`; 1m to 30d. Or give `until`.').optional(),
  until: z.string().describe('ISO 8601 time of the end.').optional(),
  from: z.string().describe('ISO 8601 time of the begin; default now.').optional(),
  reason: z.string().max(500).optional(),
}

const SNOOZE = z.object({
  id: z.string(),
  match: z.looseObject({}),
  from: z.string(),
  until: z.string(),
  reason: z.string(),
  createdBy: z.string(),
  suppressed: z.int().describe('Deliveries held back so far.'),
})

export const PARAMS = z.object({ id: z.string().describe('Id of the snooze.') })

const EXAMPLE_BODY = {
  match: { taskId: ['a8b4c123-def4-5678-9abc-def012345678'] },
  for: '2h',
  reason: 'source database is being moved',
}

export const LIST: RouteDescription = {
  summary: 'List snoozes',
  examples: [{ name: 'all', status: 200, answer: { snoozes: [], nextCursor: null } }],
  description: 'Those that have not ended, newest first.',
  schemas: {
    query: z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor }),
    responses: { 200: z.object({ snoozes: z.array(SNOOZE), nextCursor: z.string().nullable() }) },
  },
}

export const SET: RouteDescription = {
  summary: 'Set a snooze',
  description:
    'Messages to people about events that match are held back and recorded as `suppressed`/`SNOOZED`, until the snooze ends by itself or is lifted. It survives a restart.',
  schemas: { body: z.object(BODY), responses: { 201: SNOOZE } },
  examples: [{ name: 'task', body: EXAMPLE_BODY, status: 201 }],
}

export const LIFT: RouteDescription = {
  summary: 'Lift a snooze',
  schemas: { params: PARAMS, responses: { 204: z.void() } },
}
