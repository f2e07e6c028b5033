/** The Footman of this configuration, while it runs and after: over its REST API, and in its database. */
import { accessSync, constants, existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listSources, type MessageSource } from '../../../events/sources.ts'
import { LOCAL_KEY_FILE } from '../../../http/auth/keys.ts'
import { createHttpClient } from '../../../platform/http-client.ts'
import { lockHolder } from '../../../platform/lock.ts'
import { type Database, openDatabase } from '../../../platform/sqlite.ts'
import { restUrl } from '../../rest-url.ts'
import type { DoctorContext } from '../types.ts'

/** What `GET /v4/udp` tells. */
export interface RunningInput {
  readonly enabled: boolean
  readonly listening: boolean
  readonly address: string | null
  readonly port: number | null
  readonly receiveBufferBytes: number | null
  readonly dropped: Readonly<Record<string, number>>
}

type RunningAnswer<T> =
  | { readonly state: 'answered'; readonly status: number; readonly body: T }
  /** Nobody answers, or the REST API is off. */
  | { readonly state: 'silent'; readonly reason: string }

/** Asks the running Footman with its local key. Never rejects. */
export async function askRunning<T>(
  { config, paths, timeout }: DoctorContext,
  method: 'GET' | 'POST',
  path: string,
): Promise<RunningAnswer<T>> {
  const url = restUrl(config)
  if (url === null) return { state: 'silent', reason: 'the REST API is off' }
  const directory = paths.data(config.footman.dataDirectory)
  if (!mayRun(directory)) return { state: 'silent', reason: 'it does not run' }
  const key = (await readFile(join(directory, LOCAL_KEY_FILE), 'utf8').catch(() => '')).trim()
  // On this machine: for whom its certificate was made doesn't matter.
  const http = createHttpClient({ keepAlive: false, tls: { rejectUnauthorized: false } })
  try {
    const headers = { accept: 'application/json', ...(key !== '' && { authorization: `Bearer ${key}` }) }
    const response = await http.request({ method, url: `${url}${path}`, headers, timeoutMs: timeout })
    return { state: 'answered', status: response.status, body: JSON.parse(response.text()) as T }
  } catch (error) {
    const strange = error instanceof SyntaxError ? 'what answers at the port of its REST API is another program' : null
    return { state: 'silent', reason: strange ?? (error instanceof Error ? error.message : String(error)) }
  } finally {
    http.close()
  }
}

/** False when nobody works with the data directory: what answers is the Footman of another configuration then. */
function mayRun(directory: string): boolean {
  if (lockHolder(directory)) return true
  try {
    accessSync(directory, constants.R_OK | constants.X_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

/** Reads the database beside whoever writes it; null when there is none that can be read. */
export function readDatabase<T>({ config, paths }: DoctorContext, read: (db: Database) => T): T | null {
  const file = join(paths.data(config.footman.dataDirectory), 'footman.db')
  if (!existsSync(file)) return null
  try {
    const db = openDatabase(file, { readOnly: 'untouched' })
    try {
      return read(db)
    } finally {
      db.close()
    }
  } catch {
    return null
  }
}

export interface KnownSources {
  readonly sources: readonly MessageSource[]
  /** Since when Footman has listened, milliseconds since 1970; null when that is not known. */
  readonly since: number | null
}

/** Who has sent messages so far; null when Footman has not run yet, or neither it nor its database can be asked. */
export async function knownSources(context: DoctorContext): Promise<KnownSources | null> {
  const stored = readDatabase(context, (db) => ({ sources: listSources(db), since: sinceOf(db) }))
  if (stored) return stored
  const answer = await askRunning<{ sources?: readonly RestSource[] }>(context, 'GET', '/v4/udp')
  if (answer.state === 'silent' || answer.status !== 200) return null
  return { since: null, sources: (answer.body.sources ?? []).map(fromRest) }
}

interface RestSource {
  readonly from: string
  readonly host: string | null
  readonly firstSeen: string
  readonly lastSeen: string
  readonly messages: number
  readonly rejected: number
}

const fromRest = ({ from, host, firstSeen, lastSeen, messages, rejected }: RestSource): MessageSource => ({
  ...{ sender: from, host: host ?? '', firstAt: Date.parse(firstSeen), lastAt: Date.parse(lastSeen) },
  ...{ messages, rejected },
})

/** The reconciler notes when Footman began to listen. */
function sinceOf(db: Database): number | null {
  const mark = db.get<{ at: number }>("SELECT at FROM safety_net_mark WHERE name = 'reconciler.since'")
  return mark?.at ?? null
}
