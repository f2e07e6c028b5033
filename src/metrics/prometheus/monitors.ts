/** What the monitors know about services and licences. */
import type { MonitorStates } from '../../monitors/types.ts'
import { byLabel, gauge, gauges } from './family.ts'
import type { MetricFamily } from './types.ts'

export function monitorFamilies(states: () => MonitorStates): readonly MetricFamily[] {
  const perType = (member: 'allocated' | 'available') =>
    byLabel('license_type', () =>
      states().licenses.flatMap((license): (readonly [string, number])[] => {
        const value = license[member]
        return value === null ? [] : [[license.type, value]]
      }),
    )
  return [
    gauges(
      'footman_service_state',
      'State of a watched service: 1 stopped, 2 starting, 3 stopping, 4 running, 5 continuing, 6 pausing, 7 paused, -1 unknown.',
      {
        labels: ['host', 'service'],
        samples: () =>
          states().services.map(({ host, service, number }) => ({ labels: { host, service }, value: number })),
      },
    ),
    gauge(
      'footman_license_days_remaining',
      'Days until the server licence of Qlik Sense ends; negative afterwards.',
      () => states().licenseDays,
    ),
    gauges('footman_license_allocated', 'Access licences that are given out.', perType('allocated')),
    gauges('footman_license_available', 'Access licences that are free.', perType('available')),
  ]
}
