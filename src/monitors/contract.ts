/** The contracts of the monitors and of Footman's alerts about itself. Times are ISO 8601. */
import { z } from 'zod'
import { type AnswerOf, contract } from '../http/endpoint/contract.ts'
import { NO_QUERY } from '../http/endpoint/list-query.ts'
import { SELF_CODES } from './self-alerts/types.ts'

const text = () => z.string().nullable()

export const MONITORS = contract({
  method: 'GET',
  path: '/v4/monitors',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        services: z.array(
          z.strictObject({
            host: z.string(),
            name: z.string(),
            friendlyName: z.string(),
            state: z
              .string()
              .describe('`RUNNING`, `STOPPED` and the other states of Windows; `UNREACHABLE`, `NOT_FOUND`.'),
            since: text().describe('Time of the last change; null when none has been seen.'),
            eventId: text().describe('The event of that change.'),
          }),
        ),
        license: z.strictObject({
          expiresAt: text().describe('Day on which the server licence ends.'),
          daysLeft: z.int().nullable(),
          endsSoon: z.boolean().describe('No more days are left than `serverLicenseMonitor.alert.thresholdDays`.'),
          access: z.array(
            z.strictObject({ type: z.string(), allocated: z.int().nullable(), available: z.int().nullable() }),
          ),
        }),
        qlikSense: z.strictObject({ version: z.string(), release: z.string() }).nullable(),
        certificates: z
          .array(z.strictObject({ name: z.string(), expiresAt: z.string(), daysLeft: z.int() }))
          .describe(
            'Those that Footman uses: `qlik` for the connection to Qlik Sense, `rest` of its own API. The first to end comes first.',
          ),
        lookedAt: text().describe('When a monitor last got an answer; null before the first.'),
      })
      .describe('The states.'),
  }),
})
export type MonitorsAnswer = AnswerOf<typeof MONITORS>

export const SELF_ALERTS = contract({
  method: 'GET',
  path: '/v4/selfalerts',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        selfAlerts: z.array(
          z.strictObject({
            code: z.enum(SELF_CODES),
            since: z.string(),
            subjects: z.array(z.strictObject({ text: z.string(), at: z.string() })),
            eventId: text().describe('The event that was raised; null when it is no longer kept.'),
            help: z.string().describe('The remedy.'),
          }),
        ),
      })
      .describe('The alerts.'),
  }),
})
export type SelfAlerts = AnswerOf<typeof SELF_ALERTS>
