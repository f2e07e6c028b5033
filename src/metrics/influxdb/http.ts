/** `/v4/influxdb/points`: the points of monitors that wait for InfluxDB, and those that were given up. */
import { z } from 'zod'
import { NO_QUERY } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { deadLetters, waitingItems } from '../../platform/durable-queue-store.ts'
import { once } from '../../platform/once.ts'
import type { Database } from '../../platform/sqlite.ts'
import { POINT_TABLE } from './points.ts'

const ANSWER = once(() =>
  z.object({
    waiting: z.int().describe('Points that InfluxDB does not have yet.'),
    dead: z
      .array(
        z.object({
          measurement: z.string(),
          reason: z.enum(['EXPIRED', 'REJECTED']),
          detail: z.string().nullable().describe('The answer of InfluxDB about the newest of them.'),
          points: z.int(),
          oldestAt: z.string().describe('When the oldest of them was measured or last sent again.'),
          newestAt: z.string(),
        }),
      )
      .describe('Those that were given up, by measurement.'),
  }),
)

export function pointRoutes({ db }: { readonly db: Database }): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/influxdb/points',
      scope: 'event:read',
      summary: 'Count the points of monitors that wait for InfluxDB or were given up',
      description:
        'Points about tasks are deliveries. `POST /v4/deliveries/-/resend` with the destination `influxdb` sends both again.',
      query: NO_QUERY,
      answers: () => ({ 200: ANSWER().describe('The counts.') }),
      examples: [{ name: 'points', status: 200, answer: { waiting: 0, dead: [] } }],
      handle() {
        const dead = deadLetters(db, POINT_TABLE).map(({ key, reason, detail, count, oldestAt, newestAt }) => ({
          measurement: key,
          reason,
          detail,
          points: count,
          oldestAt: new Date(oldestAt).toISOString(),
          newestAt: new Date(newestAt).toISOString(),
        }))
        return jsonAnswer(200, { waiting: waitingItems(db, POINT_TABLE), dead })
      },
    }),
  ]
}
