/** Times in which nobody is to be bothered: `Butler.footman.maintenance`. */

import { EVENT_OUTCOMES } from '../../events/kinds.ts'
import type { Need, TaskEvent } from '../../events/types.ts'
import type { Windows } from '../../platform/calendar.ts'
import type { MaintenanceConfig } from '../config-routes.ts'
import { compileMatches, testMatches } from '../rules/match.ts'
import type { Hold } from '../types.ts'

export interface Maintenance {
  readonly hold: Hold
  /** What has to be read from Qlik Sense to know whether an event is concerned. */
  readonly needs: readonly Need[]
  /** The maintenance that an event of this time belongs to; null = none. */
  nameFor(event: TaskEvent, at: number): string | null
  /** The maintenance that stops schedules now; null = none. */
  stopsSchedules(at: number): string | null
  /** Whether a maintenance is going on. */
  isOn(name: string, at: number): boolean
}

export function createMaintenance(
  deps: { readonly windows: Pick<Windows, 'contains'> },
  config: readonly MaintenanceConfig[],
): Maintenance {
  const compiled = config.map(({ name, during, match, stopSchedules }) => ({
    ...{ name, during, stopSchedules, matches: compileMatches(match, deps, EVENT_OUTCOMES) },
  }))
  const within = (during: MaintenanceConfig['during'], at: number) =>
    during.some((window) => deps.windows.contains(window, at))

  function nameFor(event: TaskEvent, at: number): string | null {
    // What is not known does not hold anything back: rather one alert too many.
    const found = compiled.find(
      ({ during, matches }) => within(during, at) && (matches.length === 0 || testMatches(matches, event, at) === true),
    )
    return found?.name ?? null
  }

  return {
    nameFor,
    needs: [...new Set(compiled.flatMap(({ matches }) => matches.flatMap(({ needs }) => needs)))],
    hold(_db, { event }) {
      const name = nameFor(event, event.receivedAt)
      return name === null ? null : { reason: 'MAINTENANCE', detail: maintenanceDetail(name) }
    },
    stopsSchedules: (at) =>
      compiled.find(({ stopSchedules, during }) => stopSchedules && within(during, at))?.name ?? null,
    isOn: (name, at) => compiled.some((one) => one.name === name && within(one.during, at)),
  }
}

/** By it the summary finds what was held back. */
export const maintenanceDetail = (name: string): string => `maintenance ${name}`
