/** What the description of the API says about replays and tests. */
import { z } from 'zod'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import type { RouteDescription } from '../../http/endpoint/route.ts'
import { field } from '../../http/endpoint/validation.ts'

const names = (what: string) => field.array(field.string()).describe(what).optional()
const MADE = z.object({
  id: z.string(),
  route: z.string().nullable(),
  destination: z.string(),
  target: z.string(),
  state: z.enum(['pending', 'suppressed']),
  reason: z.string().nullable(),
})
const MADE_ANSWER = z
  .object({ eventId: z.string(), deliveries: z.array(MADE) })
  .describe('The deliveries are under way.')

export const REPLAY_BODY = {
  routes: names('Only these routes, whether their conditions hold or not.'),
  to: names('Only these destinations of `Butler.footman.destinations`, without route or gate.'),
  ignoreGates: z.boolean().describe('No rate limit, snooze, maintenance or grouping holds it back.').optional(),
}

export const REPLAY: RouteDescription = {
  summary: 'Send the messages of an event again',
  description:
    'Without `routes` and `to` every route is evaluated again. Nothing is started, whatever the event is about.',
  schemas: {
    params: z.object({ id: z.string().describe('Id of the event.') }),
    body: z.object(REPLAY_BODY).optional(),
    responses: { 202: MADE_ANSWER },
  },
}

export const FIRE_BODY = {
  type: z.enum(EVENT_TYPES).describe('Default `reload`.').optional(),
  outcome: z.enum(EVENT_OUTCOMES).describe('Default `failed`.').optional(),
  taskId: z.string().nullish().describe('A real task in place of the invented one.'),
  eventId: z.string().nullish().describe('A past event whose data are used.'),
  values: z.record(z.string(), field.string()).describe('Template variables to set, like `taskName`.').optional(),
  routes: names('Only these routes, whether their conditions hold or not.'),
  to: names('Only these destinations of `Butler.footman.destinations`.'),
  dryRun: z.boolean().describe('Render the messages and send nothing.').optional(),
}

const DRY = z.object({
  messages: z.array(
    z.object({
      route: z.string().nullable(),
      destination: z.string(),
      target: z.string(),
      message: z.object({ subject: z.string().nullable(), body: z.string() }),
    }),
  ),
})

export const FIRE: RouteDescription = {
  summary: 'Send test messages',
  description:
    'An invented event, a past one, or one about a real task; titles start with `[TEST] `. No gate but the question of recipients applies, no slot of a rate limit is taken, and it does not count in history.',
  schemas: {
    body: z.object(FIRE_BODY).optional(),
    responses: { 200: DRY.describe('What would be sent.'), 202: MADE_ANSWER },
  },
  failures: { 404: 'There is no such event, route or destination.', 502: 'Qlik Sense is unreachable or refuses.' },
  examples: [
    {
      name: 'dry-run',
      body: { type: 'reload', outcome: 'failed', values: { taskName: 'My test' }, dryRun: true },
      status: 200,
      answer: { messages: [] },
    },
  ],
}
