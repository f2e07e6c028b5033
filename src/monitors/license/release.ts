/** Releases access licences that have not been used for a while. */
import type { Clock, Logger } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import {
  type AccessLicense,
  LICENSE_TYPES,
  type LicenseClient,
  type LicenseType,
  type LicenseUser,
} from '../../qlik/qrs/licenses.ts'
import type { QlikSenseLicenseConfig } from '../config.ts'
import { tagsOf, type WritePoints } from '../types.ts'

interface LicenseReleaseDeps {
  readonly licenses: Pick<LicenseClient, 'unusedSince' | 'user' | 'release'>
  readonly clock: Clock
  readonly log: Logger
  /** Null = not wanted. */
  readonly writePoints: WritePoints | null
}

interface LicenseReleaseSettings
  extends Pick<QlikSenseLicenseConfig['licenseRelease'], 'dryRun' | 'neverRelease' | 'licenseType' | 'destination'> {
  /** Most licences that one run gives back, of all types together; 0 = no limit. */
  readonly maxPerRun: number
}

type Fate = 'kept' | 'released' | 'failed' | 'left'

/** One run over the licences of one type. */
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

// Rules: which access licences are released. In doubt a licence is kept, since keeping one too many costs less than
// taking one that is needed.

export type NeverRelease = QlikSenseLicenseConfig['licenseRelease']['neverRelease']

export const DAY_MS = 86_400_000
/** QRS writes "never" as a date in 1753. */
const NEVER_BEFORE = Date.UTC(1754, 0)

interface Idle {
  /** Milliseconds since the last use, or since it was given out if that was later. */
  readonly ms: number
  readonly days: number
  readonly neverUsed: boolean
}

/** The time since its last use; null when that is unknown. */
export function idleOf({ lastUsed, createdDate }: AccessLicense, now: number): Idle | null {
  const used = timeOf(lastUsed)
  const created = timeOf(createdDate)
  // A date that is there and cannot be read says nothing about when it was used.
  if (used === 'unreadable' || created === 'unreadable' || (used === null && created === null)) return null
  const ms = now - Math.max(used ?? 0, created ?? 0)
  return { ms, days: Math.floor(ms / DAY_MS), neverUsed: used === null }
}

function timeOf(text: string): number | null | 'unreadable' {
  if (text === '') return null
  const time = Date.parse(text)
  if (Number.isNaN(time)) return 'unreadable'
  return time < NEVER_BEFORE ? null : time
}

/** Not in quarantine, and not used for the whole of the time. */
export function isCandidate(license: AccessLicense, thresholdDays: number, now: number): boolean {
  if (license.quarantined || !(thresholdDays >= 1)) return false
  const idle = idleOf(license, now)
  return idle !== null && idle.ms >= thresholdDays * DAY_MS
}

/**
 * Why the licence of this user stays; null = it is given back. The first rule that holds gives the reason. `license`
 * and `user` name the same person; either name protects.
 */
export function reasonToKeep(license: AccessLicense, user: LicenseUser, rules: NeverRelease): string | null {
  for (const rule of RULES) {
    const reason = rule(user, rules, license)
    if (reason !== null) return reason
  }
  return null
}

type Rule = (user: LicenseUser, rules: NeverRelease, license: AccessLicense) => string | null

const RULES: readonly Rule[] = [
  (user, _, license) =>
    namesOf(user, license).some((name) => isSame(name.userDirectory, 'INTERNAL') && /^sa_/i.test(name.userId.trim()))
      ? 'User is an internal account of Qlik Sense'
      : null,
  (user, rules, license) =>
    rules.user.some(({ userDir, userId }) =>
      namesOf(user, license).some((name) => isSame(name.userDirectory, userDir) && isSame(name.userId, userId)),
    )
      ? 'User is in the neverRelease.user list'
      : null,
  (user, rules) => {
    const tag = user.tags.find((name) => rules.tag.some((listed) => isSame(listed, name)))
    return tag === undefined ? null : `User tagged with '${tag}', which is in the neverRelease.tag list`
  },
  (user, rules) => {
    const found = user.customProperties.find((property) =>
      rules.customProperty.some(({ name, value }) => isSame(name, property.name) && isSame(value, property.value)),
    )
    if (!found) return null
    return `User has custom property '${found.name}' set to '${found.value}', which is in the neverRelease.customProperty list`
  },
  (user, rules, license) => {
    const found = namesOf(user, license).find(({ userDirectory }) =>
      rules.userDirectory.some((listed) => isSame(listed, userDirectory)),
    )
    if (!found) return null
    return `User's user directory is '${found.userDirectory}', which is in the neverRelease.userDirectory list`
  },
  flagRule('inactive', 'inactive', ({ inactive }) => inactive),
  flagRule('blocked', 'blocked', ({ blacklisted }) => blacklisted),
  flagRule('removedExternally', 'removedExternally', ({ removedExternally }) => removedExternally),
]

/** `yes` protects those whose flag is set, `no` those whose flag is not; a flag that QRS does not name protects too. */
function flagRule(
  setting: 'inactive' | 'blocked' | 'removedExternally',
  name: string,
  flagOf: (user: LicenseUser) => boolean | null,
): Rule {
  return (user, rules) => {
    const wanted = rules[setting].trim().toLowerCase()
    if (wanted !== 'yes' && wanted !== 'no') return null
    const flag = flagOf(user)
    if (flag === null) return `User has ${name} status unknown`
    return flag === (wanted === 'yes') ? `User has ${name} status '${flag}'` : null
  }
}

type Name = { readonly userDirectory: string; readonly userId: string }

const namesOf = (user: LicenseUser, license: AccessLicense): readonly Name[] =>
  license.user ? [user, license.user] : [user]
const isSame = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase()
