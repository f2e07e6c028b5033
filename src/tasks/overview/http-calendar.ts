/** `/v4/schedules/calendar`: the firings of some days, of Footman, Qlik Sense and report tasks. */
import { invalidQuery } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import type { Clock } from '../../platform/types.ts'
import { isoOf } from '../executions/status.ts'
import { type CalendarDeps, type CalendarEntry, calendarOf } from './calendar.ts'
import { CALENDAR } from './contract.ts'
import type { TimelineDeps } from './timeline.ts'

const DAY_MS = 86_400_000
const DEFAULT_MS = 7 * DAY_MS
/** Fourteen days, of which one may have 25 hours. */
const LONGEST_MS = 14 * DAY_MS + 3_600_000

interface CalendarRouteDeps extends CalendarDeps {
  readonly clock: Clock
  readonly maintenance: Pick<TimelineDeps['maintenance'], 'bands'>
}

export function calendarRoute(deps: CalendarRouteDeps, { timezone }: { readonly timezone: string }): ApiRoute {
  return route({
    ...CALENDAR,
    scope: 'schedule:read',
    summary: 'List the firings of some days',
    description:
      'Schedules of Footman, with `task:read` the triggers of Qlik Sense, with `report:read` report tasks, with `event:read` maintenance. In the past there are the runs that happened.',
    examples: [{ name: 'from-yesterday', query: { from: '24h' }, status: 200 }],
    async handle({ query, caller }, answer) {
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
      return answer(200, {
        entries: entries.map(({ at, ...entry }) => ({ at: isoOf(at), ...entry })),
        load: load.map(({ at, running }) => ({ at: isoOf(at), running })),
        maintenance: bands.map((band) => ({ name: band.name, from: isoOf(band.from), to: isoOf(band.to) })),
        ...rest,
      })
    },
  })
}
