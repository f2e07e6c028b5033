/** The contract of the points that wait for InfluxDB. */
import { z } from 'zod'
import { contract } from '../../http/endpoint/contract.ts'
import { NO_QUERY } from '../../http/endpoint/list-query.ts'

export const POINTS = contract({
  method: 'GET',
  path: '/v4/influxdb/points',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        waiting: z.int().describe('Points that InfluxDB does not have yet.'),
        dead: z
          .array(
            z.strictObject({
              measurement: z.string(),
              reason: z.enum(['EXPIRED', 'REJECTED']),
              detail: z.string().nullable().describe('The answer of InfluxDB about the newest of them.'),
              points: z.int(),
              oldestAt: z.string().describe('When the oldest of them was measured or last sent again.'),
              newestAt: z.string(),
            }),
          )
          .describe('Those that were given up, by measurement.'),
      })
      .describe('The counts.'),
  }),
})
