/**
 * The audit: actions and their actors, written to the log, kept in the table `audit` for `retention.audit`, listed by
 * `GET /v4/audit`.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { errorText } from '../platform/errors.ts'
import { globMatcher } from '../platform/glob.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { type Database, type Migration, storedJson } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { isGuid } from '../platform/uuid.ts'
import { auditChainMigrations, type ChainedRow, checkChains, type Link, nextLink, purgeEntries } from './audit-chain.ts'
import { AUDIT, AUDIT_CHECK, AUDIT_OUTCOMES, type AuditItem } from './contract.ts'
import { DEFAULT_LIMIT, invalidCursor } from './endpoint/list-query.ts'
import { type ApiRoute, type RouteExample, route } from './endpoint/route.ts'
import { createRequestIds } from './middleware/request-id.ts'

export type AuditOutcome = AuditItem['outcome']

type AuditEntry = Omit<AuditItem, 'id' | 'at'>

export interface StoredAuditEntry extends AuditEntry {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface Audit {
  /** Writes the log line at once and the row in the next commit; never throws. */
  record(entry: AuditEntry): void
}

/** Ids are UUIDs of version 7, so that they sort by time. */
export const auditMigrations: Migration[] = [
  {
    name: 'audit-001',
    sql: `
      CREATE TABLE audit (
        id TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        address TEXT,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        status INTEGER,
        outcome TEXT NOT NULL CHECK (outcome IN ('ok', 'denied', 'failed')),
        request_id TEXT,
        detail TEXT
      ) WITHOUT ROWID;`,
  },
  { name: 'audit-002', sql: 'ALTER TABLE audit ADD COLUMN via TEXT;' },
  ...auditChainMigrations,
]

const MAX_TEXT = 500
const MAX_TARGETS = 100

export interface AuditDeps {
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Name of this node, for its chain. */
  readonly node: string
  /** Called in the transaction that stores the entry. */
  readonly onStored?: undefined | ((tx: Database, entry: StoredAuditEntry, link: Link) => void)
}

export function createAudit(deps: AuditDeps): Audit {
  const { writer, log, node, onStored } = deps
  // They count up, so that entries of one millisecond keep their order.
  const nextId = createRequestIds(deps.clock)
  return {
    record(given) {
      const entry = bounded(given)
      log.info(auditLine(entry))
      const id = nextId()
      const at = timeOf(id)
      const stored = { ...entry, id, at }
      writer
        .write((tx) => {
          const link = insertEntry(tx, stored, node)
          onStored?.(tx, stored, link)
        })
        .catch((error: unknown) => log.error(`AUDIT: Entry could not be stored: ${errorText(error)}`))
    },
  }
}

/** Milliseconds since 1970 of a UUID of version 7. */
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

/** Limits of texts from outside, so that they cannot fill the table. */
function bounded(entry: AuditEntry): AuditEntry {
  const cut = (text: string) => text.slice(0, MAX_TEXT)
  return {
    ...entry,
    actor: cut(entry.actor),
    target: entry.target.slice(0, MAX_TARGETS).map(cut),
    detail: entry.detail === null ? null : cut(entry.detail),
  }
}

/** `AUDIT: actor=key:erp address=10.1.2.3 action=task.start outcome=ok status=200 request=... target=...` */
export function auditLine({ actor, address, action, outcome, status, requestId, target, via }: AuditEntry): string {
  const members = {
    actor,
    address,
    via: via ?? null,
    action,
    outcome,
    status,
    request: requestId,
    target: target.join(',') || null,
  }
  const texts = Object.entries(members).map(([name, value]) => (value === null ? [] : `${name}=${word(String(value))}`))
  return `AUDIT: ${texts.flat().join(' ')}`
}

/** In quotes when it could be taken for more than one member of the line. */
const word = (text: string): string => (/^[\w.:/@,*{}\-+]+$/.test(text) ? text : JSON.stringify(text))

interface AuditQuery {
  /** Newest entry that is wanted stands before this id; null = from the newest. */
  readonly before: string | null
  /** Milliseconds since 1970, inclusive and exclusive; null = no bound. */
  readonly from: number | null
  readonly to: number | null
  readonly matches: (entry: StoredAuditEntry) => boolean
  readonly limit: number
}

interface Row extends ChainedRow {
  readonly outcome: AuditOutcome
  readonly via: 'console' | null
}

/** Rows looked at before others get their turn. */
const CHUNK = 500

/** Adds the entry to the chain of this node. Runs in a transaction. */
export function insertEntry(tx: Database, entry: StoredAuditEntry, node: string): Link {
  const { id, at, actor, address, action, status, outcome, requestId, detail, via = null } = entry
  const target = JSON.stringify(entry.target)
  const row = { id, at, actor, address, action, target, status, outcome, request_id: requestId, detail, via }
  const link = nextLink(tx, node, row)
  tx.run(
    `INSERT INTO audit (id, at, actor, address, action, target, status, outcome, request_id, detail, via, chain, n, prev, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    at,
    actor,
    address,
    action,
    target,
    status,
    outcome,
    requestId,
    detail,
    via,
    link.chain,
    link.n,
    link.prev,
    link.hash,
  )
  return link
}

/** Newest first; ask for one more than a page holds to learn whether there is another. */
async function findEntries(db: Database, query: AuditQuery): Promise<StoredAuditEntry[]> {
  const found: StoredAuditEntry[] = []
  const oldest = query.from === null ? '' : idBound(query.from)
  let before = earlier(query.before, query.to === null ? null : idBound(query.to))
  for (;;) {
    const rows = db.all<Row>(
      'SELECT * FROM audit WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?',
      before,
      oldest,
      CHUNK,
    )
    for (const row of rows) {
      const entry = entryOf(row)
      if (!query.matches(entry)) continue
      found.push(entry)
      if (found.length === query.limit) return found
    }
    if (rows.length < CHUNK) return found
    before = rows.at(-1)!.id
    await nextTurn()
  }
}

/** Removes up to `limit` entries older than `before`; returns how many. Runs in a transaction. */
export const purgeAudit = (tx: Database, before: number, limit: number): number =>
  purgeEntries(tx, idBound(before), limit)

/** The least id of an instant. */
function idBound(at: number): string {
  const hex = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

/** Every id is less than `g`. */
const earlier = (a: string | null, b: string | null): string => [a ?? 'g', b ?? 'g'].sort()[0]!

const entryOf = ({
  id,
  at,
  actor,
  address,
  action,
  target,
  status,
  outcome,
  request_id,
  detail,
  via,
}: Row): StoredAuditEntry => ({
  id,
  at,
  actor,
  address,
  action,
  target: storedJson<string[]>(target, []),
  status,
  outcome,
  requestId: request_id,
  detail,
  ...(via !== null && { via }),
})

// `GET /v4/audit`.

const EXAMPLE: RouteExample = {
  name: 'starts-of-a-day',
  query: { action: 'task.*', from: '24h' },
  status: 200,
  answer: {
    audit: [
      {
        id: '019cad26-6358-781f-b7a0-43a6f767e7c9',
        at: '2026-03-02T06:05:00.120Z',
        actor: 'key:erp',
        address: '10.1.2.3',
        action: 'task.start',
        target: ['a8b4c123-def4-5678-9abc-def012345678'],
        status: 200,
        outcome: 'ok',
        requestId: '019cad26-62e0-7f58-b914-5b24d108d7ac',
        detail: '1 started',
      },
    ],
    nextCursor: null,
  },
}

interface RouteDeps {
  readonly db: Database
  readonly clock: Clock
  /** No other node writes into the database. */
  readonly alone: boolean
}

export function auditRoutes({ db, clock, alone }: RouteDeps): ApiRoute[] {
  return [
    route({
      ...AUDIT_CHECK,
      scope: 'admin',
      at: 'here',
      summary: 'Check that no audit entry was changed, removed or put in',
      description: 'By the hash chain over the entries that this node has.',
      examples: [
        {
          name: 'untouched',
          status: 200,
          answer: {
            checked: 2,
            unchained: 0,
            chains: [{ chain: 'fm1-1f0c5c3a', own: true, first: 1, last: 2, hash: 'a'.repeat(64) }],
            broken: null,
          },
        },
      ],
      handle: async (_, answer) => answer(200, await checkChains(db, { alone })),
    }),
    route({
      ...AUDIT,
      scope: 'admin',
      summary: 'List who did what',
      description: 'Newest first.',
      examples: [EXAMPLE],
      async handle({ query: { limit = DEFAULT_LIMIT, cursor, from, to, ...filter } }, answer) {
        const now = clock.now()
        const found = await findEntries(db, {
          before: idInCursor(cursor),
          from: from?.(now) ?? null,
          to: to?.(now) ?? null,
          matches: matcherOf(filter),
          limit: limit + 1,
        })
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = found.length > limit && last ? Buffer.from(last.id).toString('base64url') : null
        return answer(200, { audit: page.map(entryAnswer), nextCursor })
      },
    }),
  ]
}

interface Filter {
  readonly actor?: string[]
  readonly action?: string[]
  readonly outcome?: readonly AuditOutcome[]
  readonly request?: string
  readonly target?: string
  readonly via?: 'console'
}

function matcherOf({
  actor = ['*'],
  action = ['*'],
  outcome = AUDIT_OUTCOMES,
  request,
  target,
  via,
}: Filter): (entry: StoredAuditEntry) => boolean {
  const isActor = globMatcher(actor)
  const isAction = globMatcher(action)
  return (entry) =>
    (request === undefined || entry.requestId === request) &&
    (target === undefined || entry.target.includes(target)) &&
    (via === undefined || entry.via === via) &&
    isActor(entry.actor) &&
    isAction(entry.action) &&
    outcome.includes(entry.outcome)
}

function idInCursor(text: string | undefined): string | null {
  if (text === undefined) return null
  const id = Buffer.from(text, 'base64url').toString()
  if (isGuid(id)) return id
  throw invalidCursor()
}

const entryAnswer = ({ id, at, ...entry }: StoredAuditEntry) => ({ id, at: new Date(at).toISOString(), ...entry })
