/** InfluxDB in `/health` against the destination `influxdb`, whose state the lists of destinations show. */
import { expect, test } from 'bun:test'
import { createDestinationHealth, destinationState } from '../../../src/alerts/outbox/destination-health.ts'
import type { DeliveryChange } from '../../../src/alerts/outbox/outbox.ts'
import type { Destination } from '../../../src/alerts/types.ts'
import { type HealthDeps, healthReport } from '../../../src/app/health.ts'

type Result = 'delivered' | 'retry' | 'rejected'

/** The check and its reason beside the state of the destination, after these attempts. */
function after(results: readonly Result[], { takesPoints = true, isListed = true, ready = true } = {}) {
  const destination = { name: 'influxdb', type: 'influxdb', ready: () => ready } as Destination
  const health = createDestinationHealth({ now: () => 0 })
  for (const result of results)
    health.observe({ destination: 'influxdb', result, detail: 'HTTP 400' } as DeliveryChange)
  const up = { state: 'up', reason: '' } as const
  const { checks, reasons } = healthReport({
    alerts: { destinations: new Map(isListed ? [['influxdb', destination]] : []), health },
    pipeline: { status: { udpListening: true, qrsReachable: true, journal: { ...up, inMemory: 0 } } },
    rest: { healthy: true },
    mqtt: null,
    influx: { server: { takesPoints } },
    storage: { guard: { state: up } },
    shared: { status: null, clock: { now: () => 0 } },
    descriptors: { problem: null },
    qlik: { refusals: () => [] },
    qrsConnection: true,
    properties: { states: () => ({}) },
  } as unknown as HealthDeps)
  return [destinationState(health, destination).state, checks.influxdb, reasons?.influxdb]
}

const REFUSED = 'the last points of an event were refused'

test.each<[string, ReturnType<typeof after>, ReturnType<typeof after>]>([
  ['nothing was sent', after([]), ['up', 'up', undefined]],
  ['points were taken', after(['rejected', 'delivered']), ['up', 'up', undefined]],
  ['points of an event were refused', after(['delivered', 'rejected']), ['refuses', 'degraded', REFUSED]],
  ['it does not answer', after(['retry']), ['down', 'degraded', undefined]],
  ['it rests', after([], { ready: false }), ['down', 'degraded', undefined]],
  ['points of monitors wait', after([], { takesPoints: false }), ['up', 'degraded', undefined]],
  ['only monitors write', after(['retry'], { isListed: false }), ['down', 'up', undefined]],
])('%s', (_, found, expected) => expect(found).toEqual(expected))
