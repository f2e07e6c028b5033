/** `/v4/schedules/calendar`: the firings of some days, of Footman, Qlik Sense and report tasks. */
import { z } from 'zod'
import { invalidQuery, LIST_PARAMETERS } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import { isoOf } from '../executions/status.ts'
import { type CalendarDeps, type CalendarEntry, calendarOf } from './calendar.ts'
import type { TimelineDeps } from './timeline.ts'

const DAY_MS = 86_400_000
const DEFAULT_MS = 7 * DAY_MS
/** Fourteen days, of which one may have 25 hours. */
const LONGEST_MS = 14 * DAY_MS + 3_600_000

const QUERY = once(() =>
  z.object({
    from: LIST_PARAMETERS.from.describe('Default now.'),
    to: LIST_PARAMETERS.to.describe('Default seven days after `from`; at most fourteen.'),
  }),
)

const CALENDAR = once(() =>
  z.object({
    entries: z.array(
      z.object({
        at: z.string(),
        durationMs: z
          .number()
          .nullable()
          .describe('Usual run time of the longest task: the median of its last successful runs; null without one.'),
        source: z.enum(['footman', 'qlik', 'report']),
        id: z.string().describe('Of the schedule, the trigger of Qlik Sense, or the report task.'),
        name: z.string().describe('Of a trigger of Qlik Sense, that of its task.'),
        taskIds: z.array(z.string()),
        skipped: z.enum(['CALENDAR', 'WINDOW']).nullable().describe('Why it does not happen.'),
        by: z.string().nullable().describe('The calendars or windows behind it.'),
      }),
    ),
    load: z
      .array(z.object({ at: z.string(), running: z.int() }))
      .describe('The most tasks that are expected to run at once, by hour.'),
    maintenance: z
      .array(z.object({ name: z.string(), from: z.string(), to: z.string() }))
      .describe('Maintenance in these days, with `event:read`.'),
    highest: z.int().describe('The most tasks that ran at once in the last 14 days.'),
    stale: z.boolean().describe('Qlik Sense did not answer in time: its triggers are as they were last known.'),
    partial: z.boolean().describe('There are more firings than are answered.'),
  }),
)

interface CalendarRouteDeps extends CalendarDeps {
  readonly clock: Clock
  readonly maintenance: Pick<TimelineDeps['maintenance'], 'bands'>
}

export function calendarRoute(deps: CalendarRouteDeps, { timezone }: { readonly timezone: string }): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/schedules/calendar',
    scope: 'schedule:read',
    summary: 'List the firings of some days',
    description:
      'Schedules of Footman, with `task:read` the triggers of Qlik Sense, with `report:read` report tasks, with `event:read` maintenance. In the past there are the runs that happened.',
    query: QUERY,
    answers: () => ({ 200: CALENDAR().describe('The calendar.') }),
    examples: [{ name: 'from-yesterday', query: { from: '24h' }, status: 200 }],
    async handle({ query, caller }) {
      const now = deps.clock.now()
      const from = query.from?.(now) ?? now
      const to = query.to?.(now) ?? from + DEFAULT_MS
      if (from >= to) throw invalidQuery([{ path: 'from', message: 'must be before to' }])
      if (to - from > LONGEST_MS) throw invalidQuery([{ path: 'to', message: 'must be at most 14 days after from' }])
      const sees = new Set<CalendarEntry['source']>(['footman'])
      if (caller.may('task:read')) sees.add('qlik')
      if (caller.may('report:read')) sees.add('report')
      const { entries, load, ...rest } = await calendarOf(deps, { from, to, now }, { sees, timezone })
      const bands = caller.may('event:read') ? deps.maintenance.bands(from, to) : []
      return jsonAnswer(200, {
        entries: entries.map(({ at, durationMs, ...entry }) => ({ at: isoOf(at), durationMs, ...entry })),
        load: load.map(({ at, running }) => ({ at: isoOf(at), running })),
        maintenance: bands.map((band) => ({ name: band.name, from: isoOf(band.from), to: isoOf(band.to) })),
        ...rest,
      })
    },
  })
}
