/** `/v4/influxdb/points`: the points of monitors that wait for InfluxDB, and those that were given up. */
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import { deadLetters, waitingItems } from '../../platform/durable-queue-store.ts'
import type { Database } from '../../platform/sqlite.ts'
import { POINTS } from './contract.ts'
import { POINT_TABLE } from './points.ts'

export function pointRoutes({ db }: { readonly db: Database }): ApiRoute[] {
  return [
    route({
      ...POINTS,
      scope: 'event:read',
      summary: 'Count the points of monitors that wait for InfluxDB or were given up',
      description:
        'Points about tasks are deliveries. `POST /v4/deliveries/-/resend` with the destination `influxdb` sends both again.',
      examples: [{ name: 'points', status: 200, answer: { waiting: 0, dead: [] } }],
      handle(_, answer) {
        const dead = deadLetters(db, POINT_TABLE).map(({ key, reason, detail, count, oldestAt, newestAt }) => ({
          measurement: key,
          reason,
          detail,
          points: count,
          oldestAt: new Date(oldestAt).toISOString(),
          newestAt: new Date(newestAt).toISOString(),
        }))
        return answer(200, { waiting: waitingItems(db, POINT_TABLE), dead })
      },
    }),
  ]
}
