/** The senders of messages: per sender and host the first and last time and the counts. Survives a restart. */
import type { Database } from '../platform/sqlite.ts'

export interface MessageSource {
  /** Address that the datagrams come from. */
  readonly sender: string
  /** The host that the messages name; '' for datagrams that could not be read. */
  readonly host: string
  /** Milliseconds since 1970. */
  readonly firstAt: number
  readonly lastAt: number
  /** Messages that could be read, repeats included. */
  readonly messages: number
  /** Datagrams that were no messages. */
  readonly rejected: number
}

/** One datagram; `host` is null when it could not be read. */
export interface Sighting {
  readonly sender: string
  readonly host: string | null
  readonly at: number
}

/** Anybody may send a datagram and name any host: only so many are remembered. */
const KEPT = 500

/** To be called within the transaction that stores the messages themselves. */
export function noteSources(db: Database, sightings: readonly Sighting[]): void {
  for (const { sender, host, at, messages, rejected } of summed(sightings)) {
    const { changes } = db.run(
      `UPDATE udp_source SET last_at = max(last_at, ?), messages = messages + ?, rejected = rejected + ?
         WHERE sender = ? AND host = ?`,
      at,
      messages,
      rejected,
      sender,
      host,
    )
    if (changes > 0) continue
    db.run('INSERT INTO udp_source VALUES (?, ?, ?, ?, ?, ?)', sender, host, at, at, messages, rejected)
    forgetOldest(db)
  }
}

/** First the senders without a readable message, then those that were silent for longest. */
function forgetOldest(db: Database): void {
  db.run(
    `DELETE FROM udp_source WHERE (sender, host) IN
       (SELECT sender, host FROM udp_source ORDER BY messages > 0 DESC, last_at DESC LIMIT -1 OFFSET ?)`,
    KEPT,
  )
}

function summed(sightings: readonly Sighting[]) {
  const sums = new Map<string, { sender: string; host: string; at: number; messages: number; rejected: number }>()
  for (const { sender, host, at } of sightings) {
    const key = `${sender} ${host ?? ''}`
    const sum = sums.get(key) ?? { sender, host: host ?? '', at, messages: 0, rejected: 0 }
    sum.at = Math.max(sum.at, at)
    if (host === null) sum.rejected += 1
    else sum.messages += 1
    sums.set(key, sum)
  }
  return sums.values()
}

/** Those heard last come first. */
export function listSources(db: Database): readonly MessageSource[] {
  return db.all<MessageSource>(
    `SELECT sender, host, first_at AS firstAt, last_at AS lastAt, messages, rejected FROM udp_source
       ORDER BY last_at DESC, sender, host`,
  )
}
