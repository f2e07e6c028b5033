/** Conditions that are seen by looking: backlog, listeners, connections, disk, certificates. */
import type { Condition, Finding } from './types.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const GB = 1024 ** 3

const good: readonly Finding[] = [{ subject: '', state: 'good' }]
const bad = (text: string): readonly Finding[] => [{ subject: '', state: 'bad', text }]
/** Neither: what was told stays told. */
const unclear: readonly Finding[] = []

export interface Backlog {
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
        `${waiting} messages about tasks that Footman does not know wait until Qlik Sense says which of these tasks exist. Alerts about those follow then. "footman events dropped" shows who sends messages about the others.`,
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

/** Parts that have to be up; one that is down for five minutes is told. */
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

export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

const LOW_BYTES = GB
const LOW_SHARE = 0.05
/** Over only with a tenth more than the limits, so that a disk at the limit is told once. */
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

/** What happened to the data directory, once it can be told: as long as nothing can be stored, nothing can be sent. */
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

export interface CertificateEnd {
  readonly name: string
  readonly expiresAt: number
}

export function certificateExpiring(read: () => readonly CertificateEnd[]): Condition {
  return {
    code: 'CERTIFICATE_EXPIRING',
    look: (now) =>
      read().map(({ name, expiresAt }): Finding => {
        if (expiresAt - now >= 30 * DAY_MS) return { subject: name, state: 'good' }
        const verb = expiresAt > now ? 'ends' : 'has ended'
        const text = `The certificate "${name}" ${verb} at ${new Date(expiresAt).toISOString()}. Renew it.`
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
