/** `Butler.influxDb` as routes: one per task section, each with one point per event. */
import type { TaskEvent } from '../../../events/types.ts'
import type { PlannedDelivery, Rule } from '../../types.ts'
import { type InfluxRulesConfig, type InfluxSection, influxSections } from './sections.ts'

const LANE = 'influxdb'

export function influxRules(config: InfluxRulesConfig): Rule[] {
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
