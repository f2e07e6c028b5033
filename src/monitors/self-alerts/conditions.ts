/** Conditions of self-alerts: measured ones (backlog, listeners, disk, certificates), outages, and reported ones. */

import { endSeverity } from '../../platform/certificate-ends.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { Condition, Finding, SelfCode } from './types.ts'

const MINUTE_MS = 60_000
const GB = 1024 ** 3

const good: readonly Finding[] = [{ subject: '', state: 'good' }]
const bad = (text: string): readonly Finding[] => [{ subject: '', state: 'bad', text }]
/** Neither: an alert that stands stays. */
const unclear: readonly Finding[] = []

interface Backlog {
  readonly pending: number
  /** Arrival of the oldest event that should have been routed by now, milliseconds since 1970; null = there is none. */
  readonly overdueSince: number | null
  readonly qrsReachable: boolean
  /** Datagrams refused because the backlog was full, since the start. */
  readonly refused: number
}

const LATE_MS = 10 * MINUTE_MS

export function backlogGrowing(read: () => Backlog, maxBacklog: number): Condition {
  return {
    code: 'BACKLOG_GROWING',
    look(now) {
      const { pending, overdueSince, qrsReachable } = read()
      if (pending > maxBacklog / 2) {
        return bad(`${pending} events wait, more than half of delivery.maxBacklog (${maxBacklog}).`)
      }
      const isLate = overdueSince !== null && now - overdueSince > LATE_MS
      if (isLate && qrsReachable) {
        const minutes = Math.floor((now - overdueSince) / MINUTE_MS)
        return bad(`Events wait for ${minutes} minutes although Qlik Sense answers: Footman does not keep up.`)
      }
      return pending > maxBacklog * 0.45 || isLate ? unclear : good
    },
  }
}

export function backlogFull(read: () => Backlog, maxBacklog: number): Condition {
  let refusedBefore = 0
  return {
    code: 'BACKLOG_FULL',
    lastsMs: MINUTE_MS,
    look() {
      const { pending, refused } = read()
      const isRefusing = refused > refusedBefore
      refusedBefore = refused
      if (isRefusing || pending >= maxBacklog) {
        return bad(
          `delivery.maxBacklog (${maxBacklog}; a tenth of it for messages about unknown tasks) is reached: new messages are refused, ${refused} so far.`,
        )
      }
      return pending > maxBacklog * 0.9 ? unclear : good
    },
  }
}

/** Messages about unknown tasks wait on disk as Qlik Sense cannot say which of these exist; `oldestAt` = null: none waits. */
export function tasksUnverified(read: () => { readonly waiting: number; readonly oldestAt: number | null }): Condition {
  return {
    code: 'TASKS_UNVERIFIED',
    look(now) {
      const { waiting, oldestAt } = read()
      if (oldestAt === null) return good
      if (now - oldestAt <= MINUTE_MS) return unclear
      return bad(
        `${waiting} messages about tasks or apps that Footman does not know wait until Qlik Sense says which of these exist. Alerts about those follow then. "footman events dropped" shows who sends messages about the others.`,
      )
    },
  }
}

export interface Part {
  readonly name: string
  /** Null = it is switched off. */
  readonly isUp: () => boolean | null
  readonly text: string
}

/** Parts that have to be up; one that is down for five minutes is reported. */
export function notUp(code: 'UDP_NOT_LISTENING' | 'MQTT_DISCONNECTED', list: () => readonly Part[]): Condition {
  const downSince = new Map<string, number>()
  return {
    code,
    look(now, raised) {
      const parts = list()
      const gone = raised.filter((subject) => !parts.some(({ name }) => name === subject))
      const findings = parts.flatMap(({ name, isUp, text }): Finding[] => {
        const up = isUp()
        if (up === null) return [{ subject: name, state: 'gone' }]
        if (up) {
          downSince.delete(name)
          return [{ subject: name, state: 'good' }]
        }
        const since = downSince.get(name) ?? now
        downSince.set(name, since)
        return now - since >= 5 * MINUTE_MS ? [{ subject: name, state: 'bad', text }] : []
      })
      return [...findings, ...gone.map((subject) => ({ subject, state: 'gone' }) as const)]
    },
  }
}

/** A stored setting that is kept and not used, as `kind name`, and why. */
export interface UnusableSetting {
  readonly name: string
  readonly reason: string
}

export function settingUnusable(list: () => readonly UnusableSetting[]): Condition {
  return {
    code: 'SETTING_UNUSABLE',
    look(_, raised) {
      const settings = list()
      const good = raised.filter((subject) => !settings.some(({ name }) => name === subject))
      return [
        ...settings.map(({ name, reason }): Finding => {
          return { subject: name, state: 'bad', text: `The stored ${name} is not used: ${reason}.` }
        }),
        ...good.map((subject): Finding => ({ subject, state: 'good' })),
      ]
    },
  }
}

export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

const LOW_BYTES = GB
const LOW_SHARE = 0.05
/** The alert ends only a tenth above the limits, so that a disk at the limit is reported once. */
const ENOUGH = 1.1

export function diskLow(read: () => Promise<DiskSpace>, directory: string): Condition {
  return {
    code: 'DISK_LOW',
    async look() {
      const { freeBytes, totalBytes } = await read()
      const share = totalBytes > 0 ? freeBytes / totalBytes : 1
      if (freeBytes < LOW_BYTES || share < LOW_SHARE) {
        const free = `${(freeBytes / GB).toFixed(1)} GB (${Math.floor(share * 100)} %)`
        return bad(`Only ${free} are free in ${directory}. Footman cannot accept anything on a full disk: make room.`)
      }
      return freeBytes >= LOW_BYTES * ENOUGH && share >= LOW_SHARE * ENOUGH ? good : unclear
    },
  }
}

/** A failure of the data directory, reported afterwards: while nothing can be stored, nothing can be sent. */
export function storageTrouble(read: () => string | null): Condition {
  return {
    code: 'STORAGE_TROUBLE',
    look() {
      const text = read()
      return text === null ? good : bad(text)
    },
  }
}

/** Under a flood they run out again and again: that is one alert. */
export function descriptorsLow(read: () => string | null): Condition {
  return {
    code: 'DESCRIPTORS_LOW',
    lastsMs: 5 * MINUTE_MS,
    look() {
      const text = read()
      return text === null ? good : bad(`${text}.`)
    },
  }
}

interface CertificateEnd {
  readonly name: string
  readonly expiresAt: number
}

export function certificateExpiring(read: () => readonly CertificateEnd[], times: ZoneTimes): Condition {
  return {
    code: 'CERTIFICATE_EXPIRING',
    look: (now) =>
      read().map(({ name, expiresAt }): Finding => {
        if (endSeverity(expiresAt - now) === null) return { subject: name, state: 'good' }
        const verb = expiresAt > now ? 'ends' : 'has ended'
        const text = `The certificate "${name}" ${verb} at ${times.text(expiresAt)}. Renew it.`
        return { subject: name, state: 'bad', text }
      }),
  }
}

/** By name: why new files cannot be used; null = they can. */
export function certificateInvalid(read: () => Readonly<Record<string, string | null>>): Condition {
  return {
    code: 'CERTIFICATE_INVALID',
    look: () =>
      Object.entries(read()).map(([subject, problem]): Finding => {
        if (problem === null) return { subject, state: 'good' }
        return { subject, state: 'bad', text: `The certificate files "${subject}" cannot be used: ${problem}.` }
      }),
  }
}

// Outages: peers whose attempts have only failed for a while.

interface Outages {
  readonly condition: Condition
  /** Null = it worked; a text = it failed, and why. */
  attempt(subject: string, failure: string | null): void
}

interface OutageRule {
  readonly code: SelfCode
  /** The problem and what to do, in one or two sentences. */
  readonly text: (subject: string, failure: string) => string
  /** False = no longer in the configuration. */
  readonly exists?: (subject: string) => boolean
}

/** An outage is at least so long, in milliseconds, with failures only. */
const DOWN_MS = 5 * 60_000
/** An outage has at least so many failures. */
const DOWN_ATTEMPTS = 3

interface Peer {
  /** The time of the first failure in a row; null = the last attempt succeeded. */
  readonly failingSince: number | null
  readonly failures: number
  readonly last: string
}

export function createOutages(deps: { readonly now: () => number }, rule: OutageRule): Outages {
  const peers = new Map<string, Peer>()
  const exists = rule.exists ?? (() => true)

  function findingOf(subject: string, peer: Peer, now: number): Finding | null {
    const { failingSince, failures, last } = peer
    if (failingSince === null) return { subject, state: 'good' }
    if (now - failingSince < DOWN_MS || failures < DOWN_ATTEMPTS) return null
    return { subject, state: 'bad', text: rule.text(subject, last) }
  }

  return {
    attempt(subject, failure) {
      const before = peers.get(subject)
      if (failure === null) peers.set(subject, { failingSince: null, failures: 0, last: '' })
      else {
        const failingSince = before?.failingSince ?? deps.now()
        peers.set(subject, { failingSince, failures: (before?.failures ?? 0) + 1, last: failure })
      }
    },
    condition: {
      code: rule.code,
      look(now, raised) {
        const known = [...peers].flatMap(([subject, peer]) => findingOf(subject, peer, now) ?? [])
        const gone = [...raised, ...peers.keys()].filter((subject) => !exists(subject))
        return [
          ...known.filter(({ subject }) => exists(subject)),
          ...gone.map((subject) => ({ subject, state: 'gone' }) as const),
        ]
      },
    },
  }
}

// Conditions that other parts report.

interface Reported {
  readonly condition: Condition
  /** Null = the problem is over. */
  report(subject: string, text: string | null): void
}

/** A problem lasts until its reporter ends it. After a restart a raised one stays until the next report. */
export function createReported(code: SelfCode, exists: (subject: string) => boolean = () => true): Reported {
  const texts = new Map<string, string | null>()
  return {
    report: (subject, text) => void texts.set(subject, text),
    condition: {
      code,
      look(_now, raised) {
        const findings = [...texts].map(
          ([subject, text]): Finding => (text === null ? { subject, state: 'good' } : { subject, state: 'bad', text }),
        )
        const gone = raised.filter((subject) => !exists(subject))
        return [...findings, ...gone.map((subject) => ({ subject, state: 'gone' }) as const)]
      },
    },
  }
}

interface Happened {
  readonly condition: Condition
  happened(subject: string, text: string): void
}

const HOUR_MS = 3_600_000

/** An incident that counts as over after an hour without another one. */
export function createHappened(code: SelfCode): Happened {
  /** Kept until an alert about it stands: storing the alert may fail when the disk is full. */
  const news = new Map<string, { readonly text: string; isReported: boolean }>()
  return {
    happened: (subject, text) => void news.set(subject, { text, isReported: false }),
    condition: {
      code,
      lastsMs: HOUR_MS,
      look(_now, raised) {
        for (const [subject, { isReported }] of news) if (isReported && raised.includes(subject)) news.delete(subject)
        const quiet = raised.filter((subject) => !news.has(subject))
        const findings: Finding[] = [
          ...[...news].map(([subject, { text }]) => ({ subject, state: 'bad', text }) as const),
          ...quiet.map((subject) => ({ subject, state: 'good' }) as const),
        ]
        for (const one of news.values()) one.isReported = true
        return findings
      },
    },
  }
}
