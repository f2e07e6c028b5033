/** How many access licences of each type are given out and used. */
import type { InfluxPoint } from '../../metrics/influxdb/types.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { AccessTypeOverview, LicenseClient } from '../../qlik/qrs/licenses.ts'
import type { QlikSenseLicenseConfig } from '../config.ts'
import { tagsOf, type WritePoints } from '../types.ts'

export interface LicenseUsage {
  readonly type: string
  /** By field name of InfluxDB. */
  readonly fields: Readonly<Record<string, number | null>>
}

interface TypeRow {
  readonly type: string
  /** Member of the overview; null = the overview itself. */
  readonly member: string | null
  /** The switch that says that there are such licences. */
  readonly enabled: string
  /** Field name and member. */
  readonly fields: readonly (readonly [string, string])[]
}

const COUNTS = ['allocated', 'available', 'excess', 'quarantined', 'total', 'used'].map((name) => [name, name] as const)

/** In the order in which they are written. */
const TYPES: readonly TypeRow[] = [
  { type: 'analyzer', member: 'analyzerAccess', enabled: 'enabled', fields: COUNTS },
  {
    type: 'analyzer_capacity',
    member: 'analyzerTimeAccess',
    enabled: 'enabled',
    fields: [
      ['allocated_minutes', 'allocatedMinutes'],
      ['unavailable_minutes', 'unavailableMinutes'],
      ['used_minutes', 'usedMinutes'],
    ],
  },
  { type: 'professional', member: 'professionalAccess', enabled: 'enabled', fields: COUNTS },
  {
    type: 'token_login',
    member: 'loginAccess',
    enabled: 'enabled',
    fields: [
      ['allocated_tokens', 'allocatedTokens'],
      ['token_cost', 'tokenCost'],
      ['unavailable_tokens', 'unavailableTokens'],
      ['used_tokens', 'usedTokens'],
    ],
  },
  {
    type: 'token_user',
    member: 'userAccess',
    enabled: 'enabled',
    fields: [
      ['allocated_tokens', 'allocatedTokens'],
      ['quarantined_tokens', 'quarantinedTokens'],
      ['token_cost', 'tokenCost'],
      ['used_tokens', 'usedTokens'],
    ],
  },
  {
    type: 'tokens_available',
    member: null,
    enabled: 'tokensEnabled',
    fields: [
      ['available_tokens', 'availableTokens'],
      ['total_tokens', 'totalTokens'],
    ],
  },
]

/** The types that the site has; one that QRS does not mention is not there. */
export function licenseUsage(overview: AccessTypeOverview): LicenseUsage[] {
  return TYPES.flatMap(({ type, member, enabled, fields }) => {
    const part = member === null ? overview : (overview[member] as AccessTypeOverview | null | undefined)
    if (part?.[enabled] !== true) return []
    const numbers = fields.map(([field, name]) => [field, typeof part[name] === 'number' ? part[name] : null])
    return [{ type, fields: Object.fromEntries(numbers) as LicenseUsage['fields'] }]
  })
}

export interface LicenseUsageMonitorDeps {
  readonly licenses: Pick<LicenseClient, 'overview'>
  readonly clock: Clock
  readonly log: Logger
  /** Null = not wanted. */
  readonly writePoints: WritePoints | null
  readonly onUsage: (usage: readonly LicenseUsage[]) => void
}

const LABEL = '[QSEOW] END USER ACCESS LICENSE'

/** One look. Rejects when the licences cannot be read. */
export function createLicenseUsageMonitor(
  deps: LicenseUsageMonitorDeps,
  settings: Pick<QlikSenseLicenseConfig['licenseMonitor'], 'destination'>,
): (signal: AbortSignal, isRepeat?: boolean) => Promise<void> {
  const { licenses, clock, log, writePoints } = deps
  const { influxDb } = settings.destination
  const tags = tagsOf(influxDb.tag.static)

  return async (signal, isRepeat = false) => {
    const overview = await licenses.overview(signal).catch((error: unknown) => {
      throw new Error(`The licences cannot be read: ${reasonOf(error)}`)
    })
    const usage = licenseUsage(overview)
    deps.onUsage(usage)
    if (isRepeat) return
    for (const { type, fields } of usage) {
      log.verbose(
        `${LABEL}: ${type}: ${Object.entries(fields)
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}`,
      )
    }
    if (!influxDb.enable || !writePoints || usage.length === 0) return
    const time = clock.now()
    await writePoints(
      usage.map(
        ({ type, fields }): InfluxPoint => ({
          measurement: 'qlik_sense_license',
          tags: { ...tags, license_type: type },
          fields,
          time,
        }),
      ),
    )
    log.info(`${LABEL}: Sent aggregated Qlik Sense license status to InfluxDB`)
  }
}
