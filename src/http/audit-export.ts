/** Copies of the audit entries of this node, on their way to a syslog server and to a webhook: one durable queue, in order for each. */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import process from 'node:process'
import type { BackoffSettings } from '../platform/backoff.ts'
import { type ClientDeps, createClientSource } from '../platform/client-source.ts'
import { createDurableQueue, type QueueDeps, type SendResult } from '../platform/durable-queue.ts'
import { purgeDeadLetters, queueIds, queueTable, replayDeadLetters } from '../platform/durable-queue-store.ts'
import { errorText } from '../platform/errors.ts'
import { parseRetryAfter } from '../platform/http-client.ts'
import type { Database, Migration } from '../platform/sqlite.ts'
import { type SyslogPeer, sendSyslog, syslogLine } from '../platform/syslog.ts'
import { saysTooLarge } from '../platform/too-large.ts'
import type { Service } from '../platform/types.ts'
import type { AuditDeps, StoredAuditEntry } from './audit.ts'
import type { Link } from './audit-chain.ts'

const TABLE = 'audit_export'

export const auditExportMigrations: readonly Migration[] = [
  { name: 'audit-export-001', sql: queueTable(TABLE) + queueIds(TABLE) },
]

/** `Butler.footman.audit`. */
export interface AuditExportSettings {
  readonly syslog: {
    /** '' = off. */
    readonly host: string
    readonly port: number
    readonly tls: boolean
    readonly caFile: string
    readonly certFile: string
    readonly keyFile: string
  }
  readonly webhook: {
    /** '' = off. */
    readonly url: string
    readonly bearerToken: string
    readonly caFile: string
  }
}

type Target = keyof AuditExportSettings

interface Item {
  readonly to: Target
  readonly entry: StoredAuditEntry & Link
}

export interface AuditExport {
  readonly onStored: AuditDeps['onStored']
  readonly services: readonly Service[]
  readonly wake: () => void
  readonly pruning: readonly { keepMs: number; purge: (db: Database, before: number, limit: number) => number }[]
  readonly deadLetters: {
    readonly destination: string
    resend(db: Database, filter: Parameters<typeof replayDeadLetters>[2], now: number): number
    wake(): void
  } | null
}

const BATCH = 100
const GATHER_MS = 500
const TIMEOUT_MS = 30_000
/** Log audit. */
const FACILITY = 13
const REMINDER_MS = 3_600_000

/** `keepMs`: entries that could not be sent for so long become dead letters. */
export function createAuditExport(
  deps: QueueDeps & ClientDeps,
  settings: AuditExportSettings,
  { keepMs, retry }: { readonly keepMs: number; readonly retry: BackoffSettings },
): AuditExport {
  const { clock, log } = deps
  const pruning = [
    { keepMs, purge: (db: Database, before: number, limit: number) => purgeDeadLetters(db, TABLE, before, limit) },
  ]
  const { syslog, webhook } = settings
  const targets = [
    ...(syslog.host === '' ? [] : ['syslog' as const]),
    ...(webhook.url === '' ? [] : ['webhook' as const]),
  ]
  if (targets.length === 0) return { onStored: undefined, services: [], wake: () => {}, pruning, deadLetters: null }

  const failing = new Map<Target, number>()
  const clients = createClientSource(deps, { caFile: webhook.caFile, rejectUnauthorized: true })

  const queue = createDurableQueue<Item>(deps, {
    name: 'audit export',
    table: TABLE,
    what: 'AUDIT: The state of exported entries',
    keyOf: ({ to }) => to,
    order: 'key',
    concurrency: targets.length,
    batch: BATCH,
    gatherMs: GATHER_MS,
    retry,
    maxAgeMs: keepMs,
    async send(items, signal) {
      const [
        {
          value: { to },
        } = { value: { to: 'syslog' as Target } },
      ] = items
      const entries = items.map(({ value }) => value.entry)
      const results = await sendAll(to, entries, signal)
      const last = results.at(-1)
      if (last && !signal.aborted) logOutage(to, last)
      return results
    },
    onDead({ reason, count, detail }) {
      const why = reason === 'EXPIRED' ? 'for as long as the audit is kept' : `(${detail})`
      log.error(`AUDIT: ${count} entries could not be exported ${why}; resend them as dead letters`)
    },
  })

  /** In halves where the receiver finds them too large together. Those that it has taken are not sent again. */
  async function sendAll(
    to: Target,
    entries: readonly Item['entry'][],
    signal: AbortSignal,
  ): Promise<readonly SendResult[]> {
    const sending = to === 'syslog' ? toSyslog(entries, signal) : toWebhook(entries, signal)
    const result = await sending.catch((error: unknown): SendResult => ({ outcome: 'retry', detail: errorText(error) }))
    if (result.outcome !== 'rejected' || entries.length === 1) return entries.map(() => result)
    const middle = entries.length >> 1
    const first = await sendAll(to, entries.slice(0, middle), signal)
    const rest = entries.slice(middle)
    // They leave in order.
    const waiting = first.find(({ outcome }) => outcome === 'retry')
    return [...first, ...(waiting ? rest.map(() => waiting) : await sendAll(to, rest, signal))]
  }

  async function toSyslog(entries: readonly Item['entry'][], signal: AbortSignal): Promise<SendResult> {
    await sendSyslog(await peerOf(syslog, deps), entries.map(lineOf), signal)
    return { outcome: 'delivered' }
  }

  async function toWebhook(entries: readonly Item['entry'][], signal: AbortSignal): Promise<SendResult> {
    const client = await clients.client()
    if ('problem' in client) return { outcome: 'retry', detail: client.problem, slow: true }
    const response = await client.request({
      method: 'POST',
      url: webhook.url,
      headers: {
        'content-type': 'application/json',
        ...(webhook.bearerToken !== '' && { authorization: `Bearer ${webhook.bearerToken}` }),
      },
      body: JSON.stringify({ audit: entries.map(exported) }),
      timeoutMs: TIMEOUT_MS,
      maxBodyBytes: 1024 * 1024,
      statusSuffices: true,
      signal,
    })
    const { status, headers } = response
    if (status >= 200 && status < 300) return { outcome: 'delivered' }
    const isRefused = status >= 400 && status < 500 && status !== 408 && status !== 429
    if (isRefused && saysTooLarge(response)) {
      // A hole that the chain shows is better than a receiver that gets nothing any more.
      const [{ id, chain, n } = { id: '', chain: '', n: 0 }] = entries
      return { outcome: 'rejected', detail: `${id}, number ${n} of ${chain}, is too large for the webhook: ${status}` }
    }
    const retryAfterMs = parseRetryAfter(headers['retry-after'], clock.now())
    // No other refusal is about an entry: a person has to repair the receiver.
    const slow = status >= 300 && status < 500 && status !== 408 && status !== 429
    return { outcome: 'retry', detail: `it answered ${status}`, slow, ...(retryAfterMs !== null && { retryAfterMs }) }
  }

  /** Logs the begin of an outage, once an hour that it goes on, and its end. */
  function logOutage(to: Target, result: SendResult): void {
    const since = failing.get(to)
    if (result.outcome !== 'retry') {
      if (since !== undefined) log.info(`AUDIT: The ${to} receiver takes entries again`)
      failing.delete(to)
    } else if (since === undefined || clock.now() - since >= REMINDER_MS) {
      failing.set(to, clock.now())
      log.warn(
        `AUDIT: Entries wait for the ${to} receiver: ${result.detail}. They are kept and sent again; check Butler.footman.audit.${to}`,
      )
    }
  }

  return {
    onStored(tx, entry, link) {
      for (const to of targets) queue.put(tx, { to, entry: { ...entry, ...link } })
    },
    services: [{ name: 'audit export clients', start: async () => {}, stop: async () => clients.close() }, queue],
    wake: queue.wake,
    pruning,
    deadLetters: {
      destination: 'audit',
      resend: (db, filter, now) => replayDeadLetters(db, TABLE, filter, now),
      wake: queue.wake,
    },
  }
}

/** The files are read for each connection, so that renewed ones count. Rejects when one cannot be read. */
async function peerOf(
  { host, port, tls, caFile, certFile, keyFile }: AuditExportSettings['syslog'],
  { candidates }: ClientDeps,
): Promise<SyslogPeer> {
  if (!tls) return { host, port, tls: null }
  const read = async (file: string): Promise<string | undefined> => {
    if (file === '') return undefined
    for (const path of candidates(file)) {
      const text = await readFile(path, 'utf8').catch(() => undefined)
      if (text !== undefined) return text
    }
    throw new Error(`${file} cannot be read`)
  }
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(read))
  return { host, port, tls: { ca, cert, key } }
}

const exported = ({ at, ...entry }: Item['entry']) => ({ at: new Date(at).toISOString(), ...entry })

function lineOf(entry: Item['entry']): string {
  return syslogLine({
    facility: FACILITY,
    severity: entry.outcome === 'ok' ? 6 : 4,
    at: entry.at,
    host: hostname(),
    app: 'footman',
    processId: process.pid,
    id: entry.action,
    text: asciiJson(exported(entry)),
  })
}

const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
