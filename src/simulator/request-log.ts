import type { LoggedRequest, RequestLog } from './types.ts'

type Entry = { -readonly [K in keyof LoggedRequest]: LoggedRequest[K] }

/** Remembers the newest `limit` requests (default 20,000) in a ring. */
export function createRequestLog(limit = 20_000): RequestLog {
  let ring: Entry[] = []
  let seq = 0

  return {
    append(entry) {
      const logged: Entry = { ...entry, seq: ++seq, status: null, bytes: null }
      ring[(logged.seq - 1) % limit] = logged
      return {
        finish: (status, bytes) => {
          logged.status = status
          logged.bytes = bytes ?? null
        },
      }
    },
    list({ listener, since = 0 } = {}) {
      const found: LoggedRequest[] = []
      const oldest = Math.max(1, seq - limit + 1, since + 1)
      for (let number = oldest; number <= seq; number++) {
        const entry = ring[(number - 1) % limit]
        if (entry && (!listener || entry.listener === listener)) found.push(entry)
      }
      return found
    },
    clear() {
      ring = []
    },
  }
}
