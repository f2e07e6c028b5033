/** `GET /v4/monitors`: what the monitors of services, licences and release saw last. */
import { z } from 'zod'
import { NO_QUERY } from '../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../http/endpoint/route.ts'
import { once } from '../platform/once.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import type { MonitorStates, MonitorsDeps } from './types.ts'

const ANSWER = once(() =>
  z.object({
    services: z.array(
      z.object({
        host: z.string(),
        name: z.string(),
        friendlyName: z.string(),
        state: z.string().describe('`RUNNING`, `STOPPED` and the other states of Windows; `UNREACHABLE`, `NOT_FOUND`.'),
        since: z.string().nullable().describe('Time of the last change; null when none has been seen.'),
        eventId: z.string().nullable().describe('The event of that change.'),
      }),
    ),
    license: z.object({
      expiresAt: z.string().nullable().describe('Day on which the server licence ends.'),
      daysLeft: z.int().nullable(),
      endsSoon: z.boolean().describe('No more days are left than `serverLicenseMonitor.alert.thresholdDays`.'),
      access: z.array(z.object({ type: z.string(), allocated: z.int().nullable(), available: z.int().nullable() })),
    }),
    qlikSense: z.object({ version: z.string(), release: z.string() }).nullable(),
    certificates: z
      .array(z.object({ name: z.string(), expiresAt: z.string(), daysLeft: z.int() }))
      .describe(
        'Those that Footman uses: `qlik` for the connection to Qlik Sense, `rest` of its own API. The first to end comes first.',
      ),
    lookedAt: z.string().nullable().describe('When a monitor last got an answer; null before the first.'),
  }),
)

interface MonitorsRouteDeps {
  readonly db: Database
  readonly clock: Clock
  readonly states: () => MonitorStates
  /** Days before the end of the server licence from which on it ends soon. */
  readonly licenseThreshold: number
  readonly certificates: MonitorsDeps['certificates']
  /** Milliseconds since 1970. */
  readonly lookedAt: () => number | null
}

const DAY_MS = 86_400_000

const LAST_CHANGE = `SELECT event_id AS eventId, received_at AS at FROM service_event
  LEFT JOIN event ON event.id = event_id WHERE service_event.host = ? AND service = ? ORDER BY service_event.seq DESC LIMIT 1`

export function monitorsRoute({
  db,
  clock,
  states,
  licenseThreshold,
  certificates,
  lookedAt,
}: MonitorsRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/monitors',
    scope: 'metrics:read',
    summary: 'Report what the monitors saw last',
    description:
      'Services of Windows, licences, the release of Qlik Sense, and certificates. Monitors that are off report nothing.',
    query: NO_QUERY,
    answers: () => ({ 200: ANSWER().describe('The states.') }),
    examples: [
      {
        name: 'all',
        status: 200,
        answer: {
          services: [],
          license: { expiresAt: null, daysLeft: null, endsSoon: false, access: [] },
          qlikSense: null,
          certificates: [{ name: 'qlik', expiresAt: '2030-01-01T00:00:00.000Z', daysLeft: 1400 }],
          lookedAt: null,
        },
      },
    ],
    handle() {
      const seen = lookedAt()
      const { services, licenseDays, licenseExpiry, licenses, release } = states()
      return jsonAnswer(200, {
        services: services.map(({ host, service, friendlyName, state }) => {
          const last = db.get<{ eventId: string; at: number | null }>(LAST_CHANGE, host, service)
          const since = last?.at ? new Date(last.at).toISOString() : null
          return { host, name: service, friendlyName, state, since, eventId: since ? (last?.eventId ?? null) : null }
        }),
        license: {
          expiresAt: licenseExpiry,
          daysLeft: licenseDays,
          endsSoon: licenseDays !== null && licenseDays <= licenseThreshold,
          access: licenses,
        },
        qlikSense: release && { version: release.version, release: release.label },
        certificates: certificates()
          .toSorted((a, b) => a.expiresAt - b.expiresAt)
          .map(({ name, expiresAt }) => ({
            name,
            expiresAt: new Date(expiresAt).toISOString(),
            daysLeft: Math.floor((expiresAt - clock.now()) / DAY_MS),
          })),
        lookedAt: seen === null ? null : new Date(seen).toISOString(),
      })
    },
  })
}
