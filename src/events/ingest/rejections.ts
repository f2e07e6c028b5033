/** Rejected datagrams in the log: the first of a sender for one reason at once, then one line a minute with their number. */

import { createRepeats } from '../../platform/repeats.ts'

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
  const repeats = createRepeats<Rejection>(now, (count, { sender, reason, detail }) => {
    const within = count > 1 ? ' within a minute' : ''
    write(`${count} ${count === 1 ? 'message' : 'messages'} from ${sender}${within}: ${detail}`, reason)
  })

  return {
    note(rejection) {
      const isKnown = repeats.has(keyOf(rejection)) || repeats.size < MAX_KEYS
      const last = isKnown ? rejection : { ...rejection, sender: OTHER_SENDERS }
      repeats.note(keyOf(last), last)
    },
    flush: repeats.flush,
  }
}

const keyOf = ({ sender, reason }: Rejection): string => `${reason} ${sender}`
