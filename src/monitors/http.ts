/** `GET /v4/monitors`: what the monitors of services, licences and release saw last. */
import { z } from 'zod'
import { NO_QUERY } from '../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, route } from '../http/endpoint/route.ts'
import type { Database } from '../platform/sqlite.ts'
import type { MonitorStates } from './types.ts'

const ANSWER = z.object({
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
    access: z.array(z.object({ type: z.string(), allocated: z.int().nullable(), available: z.int().nullable() })),
  }),
  qlikSense: z.object({ version: z.string(), release: z.string() }).nullable(),
})

interface MonitorsRouteDeps {
  readonly db: Database
  readonly states: () => MonitorStates
}

const LAST_CHANGE = `SELECT event_id AS eventId, received_at AS at FROM service_event
  LEFT JOIN event ON event.id = event_id WHERE service_event.host = ? AND service = ? ORDER BY service_event.seq DESC LIMIT 1`

export function monitorsRoute({ db, states }: MonitorsRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/monitors',
    scope: 'metrics:read',
    summary: 'Report what the monitors saw last',
    description: 'Services of Windows, licences, and the release of Qlik Sense. Monitors that are off report nothing.',
    query: NO_QUERY,
    answers: { 200: ANSWER.describe('The states.') },
    examples: [
      {
        name: 'all',
        status: 200,
        answer: { services: [], license: { expiresAt: null, daysLeft: null, access: [] }, qlikSense: null },
      },
    ],
    handle() {
      const { services, licenseDays, licenseExpiry, licenses, release } = states()
      return jsonAnswer(200, {
        services: services.map(({ host, service, friendlyName, state }) => {
          const last = db.get<{ eventId: string; at: number | null }>(LAST_CHANGE, host, service)
          const since = last?.at ? new Date(last.at).toISOString() : null
          return { host, name: service, friendlyName, state, since, eventId: since ? (last?.eventId ?? null) : null }
        }),
        license: { expiresAt: licenseExpiry, daysLeft: licenseDays, access: licenses },
        qlikSense: release && { version: release.version, release: release.label },
      })
    },
  })
}
