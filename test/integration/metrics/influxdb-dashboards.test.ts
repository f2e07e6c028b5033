/** What Grafana asks a real InfluxDB 1. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { taskPoint } from '../../../src/alerts/destinations/influxdb.ts'
import { STOCKHOLM } from '../../support/alerts.ts'
import { dashboardQueries, fieldTypeOf } from '../../support/dashboard-contract.ts'
import { EVENTS, sectionOf } from '../../support/influx-events.ts'
import { MONITOR_POINTS } from '../../support/influx-monitors.ts'
import { influxServer } from '../../support/influx-server.ts'
import { type Influxd, startInfluxd } from '../../support/influxd.ts'
import { needs } from '../../support/servers.ts'

needs('influxd')

const FOR_EVER = { name: 'keep', duration: 'INF' }
const timeout = 60_000

describe('every query of the published dashboards', () => {
  let influxd: Influxd

  afterAll(() => influxd?.stop())

  const rows = (query: string) => influxd.rows(query, 'dashboards')

  beforeAll(async () => {
    influxd = await startInfluxd()
    const { server, write } = influxServer({
      hostPort: influxd.port,
      v1Config: { dbName: 'dashboards', retentionPolicy: FOR_EVER },
    })
    await server.database.make()
    const tasks = Object.values(EVENTS).map((event) => ({
      point: taskPoint(event, sectionOf(event), STOCKHOLM),
      at: event.receivedAt,
    }))
    const monitors = Object.values(MONITOR_POINTS).map((point) => ({ point, at: point.time! }))
    const lines = [...tasks, ...monitors].map(({ point, at }) => server.lineOf(point, BigInt(at) * 1_000_000n)!)
    expect((await write(lines)).filter(({ outcome }) => outcome !== 'delivered')).toEqual([])
  }, timeout)

  const queries = dashboardQueries({ during: "time > '2023-01-01' AND time < '2027-01-01'" })

  test.each(queries.map((query) => [query.name, query] as const))('%s', async (_, { query, row }) => {
    expect((await rows(query))[0]).toMatchObject(row)
  })

  test('every number is a float', async () => {
    const types = await rows('SHOW FIELD KEYS')
    for (const { fieldKey, fieldType } of types) {
      expect(`${fieldKey} ${fieldType}`).toBe(`${fieldKey} ${fieldTypeOf(String(fieldKey))}`)
    }
    expect(types.length).toBeGreaterThan(90)
  })
})
