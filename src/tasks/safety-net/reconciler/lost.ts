/** Counts messages that were sent and did not arrive, by the host that sent them. */
import type { TaskEvent } from '../../../events/types.ts'
import type { Database } from '../../../platform/sqlite.ts'

/** So many of one host within an hour are worth a word. */
const ENOUGH = 3
const HOUR_MS = 3_600_000

export interface LostMessages {
  /** An event has come; in a transaction of the caller. */
  heard(db: Database, event: Pick<TaskEvent, 'source' | 'type' | 'outcome'>): void
  /** No message has come about an end; `kind` = type and outcome. */
  missed(kind: Pick<TaskEvent, 'type' | 'outcome'>, host: string, at: number): void
}

export interface LostMessagesDeps {
  readonly db: Database
  /** Three messages or more of one host were lost within an hour. */
  readonly onLost: (host: string, count: number) => void
}

/** Only kinds of messages that have come before can be missed: sites need not have installed every log appender. */
export function createLostMessages({ db, onLost }: LostMessagesDeps): LostMessages {
  const kinds = new Set(db.all<{ kind: string }>('SELECT kind FROM heard_kind').map(({ kind }) => kind))
  const lost = new Map<string, number[]>()
  const keyOf = ({ type, outcome }: Pick<TaskEvent, 'type' | 'outcome'>) => `${type} ${outcome}`

  return {
    heard(tx, event) {
      const kind = keyOf(event)
      if (event.source !== 'udp' || kinds.has(kind)) return
      kinds.add(kind)
      tx.run('INSERT OR IGNORE INTO heard_kind VALUES (?)', kind)
    },
    missed(event, host, at) {
      if (!kinds.has(keyOf(event))) return
      const times = [...(lost.get(host) ?? []), at].filter((time) => time > at - HOUR_MS)
      lost.set(host, times)
      if (times.length >= ENOUGH) onLost(host, times.length)
    },
  }
}
