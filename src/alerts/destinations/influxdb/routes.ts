/** `Butler.influxDb` as routes: one per task section, each with one point per event. */
import type { TaskEvent } from '../../../events/types.ts'
import type { PlannedDelivery, Route } from '../../types.ts'
import { type InfluxRoutesConfig, type InfluxSection, influxSections } from './sections.ts'

const LANE = 'influxdb'

export function influxRoutes(config: InfluxRoutesConfig): Route[] {
  return influxSections(config).map((section) => ({
    name: section.routeName,
    destination: 'influxdb',
    when: { types: [section.kind.type], outcomes: [section.outcome] },
    phase: 'enriched',
    needs: section.needs,
    plan: (event) => plan(event, section),
  }))
}

/** What never happened is not measured. */
function plan(event: TaskEvent, section: InfluxSection): readonly PlannedDelivery[] {
  if (event.test) return []
  const detail = section.excluded(event)
  const delivery: PlannedDelivery = { target: section.measurement, lane: LANE }
  return [detail === null ? delivery : { ...delivery, suppress: { reason: 'CUSTOM_PROPERTY', detail } }]
}
