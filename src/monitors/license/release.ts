/** Gives access licences back that nobody has used for a while. */
import type { Clock, Logger } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import { type AccessLicense, LICENSE_TYPES, type LicenseClient, type LicenseType } from '../../qlik/qrs/licenses.ts'
import type { QlikSenseLicenseConfig } from '../config-license.ts'
import { tagsOf, type WritePoints } from '../types.ts'
import { DAY_MS, type Idle, idleOf, isCandidate, reasonToKeep } from './rules.ts'

export interface LicenseReleaseDeps {
  readonly licenses: Pick<LicenseClient, 'unusedSince' | 'user' | 'release'>
  readonly clock: Clock
  readonly log: Logger
  /** Null = not wanted. */
  readonly writePoints: WritePoints | null
}

export interface LicenseReleaseSettings
  extends Pick<QlikSenseLicenseConfig['licenseRelease'], 'dryRun' | 'neverRelease' | 'licenseType' | 'destination'> {
  /** Most licences that one run gives back, of all types together; 0 = no limit. */
  readonly maxPerRun: number
}

type Fate = 'kept' | 'released' | 'failed' | 'left'

/** What one run does with the licences of one type. */
interface Turn {
  readonly type: LicenseType
  readonly label: string
  readonly signal: AbortSignal
  /** How many more this run may give back; shared by the types. */
  readonly budget: { left: number }
}

/** One run. A type that cannot be listed, a user who cannot be read, a release that is refused: the rest goes on. */
export function createLicenseRelease(
  deps: LicenseReleaseDeps,
  settings: LicenseReleaseSettings,
): (signal: AbortSignal) => Promise<void> {
  const { licenses, clock, log } = deps
  const { dryRun, neverRelease, licenseType, maxPerRun } = settings

  async function ofType(turn: Turn): Promise<void> {
    const { type, label, signal } = turn
    const { releaseThresholdDays } = licenseType[type]
    const now = clock.now()
    let listed: readonly AccessLicense[]
    try {
      listed = await licenses.unusedSince(type, now - releaseThresholdDays * DAY_MS, signal)
    } catch (error) {
      if (!signal.aborted) log.error(`${label}: The licences cannot be listed: ${reasonOf(error)}`)
      return
    }
    const candidates = listed.filter((license) => isCandidate(license, releaseThresholdDays, now))
    if (dryRun) log.info(`${label}: Dry-run enabled. No licenses will be released`)
    const counts: Record<Fate, number> = { kept: 0, released: 0, failed: 0, left: 0 }
    for (const license of candidates) {
      if (signal.aborted) return
      counts[await decide(turn, license, idleOf(license, now)!)] += 1
    }
    const { kept, released, failed, left } = counts
    const verb = dryRun ? 'would be released' : 'released'
    const postponed = left > 0 ? `, left for the next run ${left}` : ''
    log.info(
      `${label}: License release ${type}: candidates ${candidates.length}, kept ${kept}, ${verb} ${released}, failed ${failed}${postponed}`,
    )
  }

  async function decide(turn: Turn, license: AccessLicense, idle: Idle): Promise<Fate> {
    const { label, signal, budget } = turn
    if (!license.user) {
      log.info(`${label}: License ${license.id} not released because: Its user was deleted, release it in the QMC`)
      return 'kept'
    }
    const name = `${license.user.userDirectory}\\${license.user.userId}`
    try {
      const user = await licenses.user(license.user.id, signal)
      if (!user) throw new Error('the user does not exist')
      const reason = reasonToKeep(license, user, neverRelease)
      if (reason !== null) {
        log.info(`${label}: License for user ${name} not released because: ${reason}`)
        return 'kept'
      }
      if (budget.left <= 0) return 'left'
      await giveBack(turn, license, name, idle)
      budget.left -= 1
      return 'released'
    } catch (error) {
      if (!signal.aborted) log.error(`${label}: License for user ${name}: ${reasonOf(error)}`)
      return 'failed'
    }
  }

  async function giveBack(turn: Turn, license: AccessLicense, name: string, idle: Idle): Promise<void> {
    const { type, label, signal } = turn
    const since = idle.neverUsed
      ? `(never used, given out ${idle.days} days ago)`
      : `(days since last use: ${idle.days})`
    if (dryRun) {
      log.info(`${label}: Dry-run: would release license for user ${name} ${since}`)
      return
    }
    log.info(`${label}: Releasing license for user ${name} ${since}`)
    await licenses.release(type, license.id, signal)
    await record(type, name, idle.days).catch((error: unknown) => {
      log.error(`${label}: The release could not be stored for InfluxDB: ${reasonOf(error)}`)
    })
  }

  async function record(type: LicenseType, user: string, days: number): Promise<void> {
    const { influxDb } = settings.destination
    if (!influxDb.enable) return
    await deps.writePoints?.([
      {
        measurement: 'qlik_sense_license_release',
        tags: { license_type: type, user, ...tagsOf(influxDb.tag.static) },
        fields: { days_since_last_use: days },
        time: clock.now(),
      },
    ])
  }

  return async (signal) => {
    const budget = { left: maxPerRun > 0 ? maxPerRun : Number.POSITIVE_INFINITY }
    for (const type of LICENSE_TYPES) {
      if (!licenseType[type].enable || signal.aborted) continue
      await ofType({ type, label: `[QSEOW] QLIKSENSE LICENSE RELEASE ${type.toUpperCase()}`, signal, budget })
    }
  }
}
