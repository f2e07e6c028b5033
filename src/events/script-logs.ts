/** Script logs of events in `footman.db`, compressed. */
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Database } from '../platform/sqlite.ts'
import type { ScriptLog, TaskEvent } from './types.ts'

/** Larger ones may be forgotten between two looks at them. */
const KEPT_LOG = 256 * 1024

export function storeScriptLog(db: Database, eventId: string, { lines, characters }: ScriptLog): void {
  const gzip = gzipSync(lines.join('\n'), { level: 1 })
  db.run('INSERT OR REPLACE INTO script_log VALUES (?, ?, ?)', eventId, characters, gzip)
}

/**
 * The event with its script log, which is read when somebody looks at it: most destinations never do, and unpacking it
 * is most of the work of loading an event.
 */
export function withScriptLog(db: Database, event: TaskEvent): TaskEvent {
  let kept: ScriptLog | null | undefined
  let large: WeakRef<ScriptLog> | undefined
  const get = (): ScriptLog | null => {
    const known = kept === undefined ? large?.deref() : kept
    if (known !== undefined) return known
    const scriptLog = loadScriptLog(db, event.id)
    if (scriptLog && scriptLog.characters > KEPT_LOG) large = new WeakRef(scriptLog)
    else kept = scriptLog
    return scriptLog
  }
  return Object.defineProperty({ ...event }, 'scriptLog', { enumerable: true, configurable: true, get })
}

function loadScriptLog(db: Database, eventId: string): ScriptLog | null {
  const row = db.get<{ characters: number; gzip: Uint8Array }>(
    'SELECT characters, gzip FROM script_log WHERE event_id = ?',
    eventId,
  )
  if (!row) return null
  return { lines: gunzipSync(row.gzip).toString('utf8').split('\n'), characters: row.characters }
}
