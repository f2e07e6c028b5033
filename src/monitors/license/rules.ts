/**
 * Which access licences are given back: pure functions. In doubt a licence is kept, since keeping one too many costs
 * less than taking one that is needed.
 */
import type { AccessLicense, LicenseUser } from '../../qlik/qrs/licenses.ts'
import type { QlikSenseLicenseConfig } from '../config-license.ts'

export type NeverRelease = QlikSenseLicenseConfig['licenseRelease']['neverRelease']

export const DAY_MS = 86_400_000
/** QRS writes "never" as a date in 1753. */
const NEVER_BEFORE = Date.UTC(1754, 0)

export interface Idle {
  /** Milliseconds since the last use, or since it was given out if that was later. */
  readonly ms: number
  readonly days: number
  readonly neverUsed: boolean
}

/** For how long nobody has used it; null when that cannot be told. */
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

/** `yes` protects those whose flag is set, `no` those whose flag is not; a flag that QRS does not tell protects too. */
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
