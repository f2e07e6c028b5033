/** Rejected datagrams in the log: the first of a sender for one reason at once, then one line a minute with their number. */

const MINUTE_MS = 60_000
/** Senders of UDP can be made up; beyond this number they share a line. */
const MAX_KEYS = 200
export const OTHER_SENDERS = 'other senders'

export interface Rejection {
  readonly sender: string
  readonly reason: string
  /** The problem of this datagram, and what to do. */
  readonly detail: string
}

/** `12 messages from 10.1.2.4: unknown message type "x". Do this`; the detail is that of the last one. */
type Write = (text: string, reason: string) => void

export interface RejectionLog {
  note(rejection: Rejection): void
  /** Writes the rejections of the last minute; call every few seconds, and with `all` at the end. */
  flush(all?: boolean): void
}

export function createRejectionLog(now: () => number, write: Write): RejectionLog {
  const open = new Map<string, { since: number; count: number; last: Rejection }>()

  function say(count: number, { sender, reason, detail }: Rejection): void {
    const within = count > 1 ? ' within a minute' : ''
    write(`${count} ${count === 1 ? 'message' : 'messages'} from ${sender}${within}: ${detail}`, reason)
  }

  return {
    note(rejection) {
      const isKnown = open.has(keyOf(rejection)) || open.size < MAX_KEYS
      const last = isKnown ? rejection : { ...rejection, sender: OTHER_SENDERS }
      const found = open.get(keyOf(last))
      if (found) {
        found.count += 1
        found.last = last
        return
      }
      open.set(keyOf(last), { since: now(), count: 0, last })
      say(1, last)
    },
    flush(all = false) {
      const at = now()
      for (const [key, entry] of open) {
        // A clock that was set back ends the minute too.
        if (!all && at >= entry.since && at - entry.since < MINUTE_MS) continue
        if (entry.count === 0) {
          open.delete(key)
          continue
        }
        say(entry.count, entry.last)
        Object.assign(entry, { since: at, count: 0 })
      }
    },
  }
}

const keyOf = ({ sender, reason }: Rejection): string => `${reason} ${sender}`
