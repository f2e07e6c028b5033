/** `GET /v4/monitors`: what the monitors of services, licences and release saw last. */
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { MONITORS } from './contract.ts'
import type { MonitorStates, MonitorsDeps } from './types.ts'

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
    ...MONITORS,
    scope: 'metrics:read',
    summary: 'Report what the monitors saw last',
    description:
      'Services of Windows, licences, the release of Qlik Sense, and certificates. Monitors that are off report nothing.',
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
    handle(_, answer) {
      const seen = lookedAt()
      const { services, licenseDays, licenseExpiry, licenses, release } = states()
      return answer(200, {
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
