/** What is told about a service at every look: as an event, as a point, as a number. */
import type { ServiceDetails } from '../../events/types.ts'
import type { InfluxPoint } from '../../metrics/influxdb/types.ts'
import { SERVICE_STATUSES, type ServiceStatus, START_TYPES } from './types.ts'
import type { WatchedService } from './watched.ts'

/** The state now: as read, or why there is none once that was told; null while a service has not been read. */
export function stateNow({ status, memory }: WatchedService): string | null {
  if (status !== null) return status
  const { state } = memory
  return state === 'UNREACHABLE' || state === 'NOT_FOUND' ? state : null
}

export function detailsOf(service: WatchedService, status: string, previousStatus: string): ServiceDetails {
  const { name, friendlyName, info } = service
  return {
    kind: 'service',
    serviceName: name,
    displayName: info?.displayName || name,
    friendlyName,
    status,
    previousStatus,
    startType: info?.startType ?? '',
    exePath: info?.exePath ?? '',
    dependencies: info?.dependencies ?? [],
  }
}

/** STOPPED 1 to PAUSED 7; -1 for what Windows has no number for. */
export function stateNumber(state: string): number {
  const index = SERVICE_STATUSES.indexOf(state as ServiceStatus)
  return index === -1 ? -1 : index + 1
}

export function servicePoint(host: string, details: ServiceDetails, time: number): InfluxPoint {
  return {
    measurement: 'win_service_state',
    tags: {
      host,
      service_name: details.serviceName,
      display_name: details.displayName,
      friendly_name: details.friendlyName,
    },
    fields: {
      state_num: stateNumber(details.status),
      state_text: details.status,
      startup_mode_num: (START_TYPES as readonly string[]).indexOf(details.startType),
      startup_mode_text: details.startType || null,
    },
    time,
  }
}
