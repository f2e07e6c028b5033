/**
 * REST calls of other nodes: a call that changes something shared is a row of the database, which the leader takes once, and
 * answers together with the rows that it has changed.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from '../platform/errors.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import type { Logger } from '../platform/types.ts'
import type { CounterWriter } from './counters.ts'
import { type ForwardedAnswer, type ForwardedRequest, ForwardingError, type Term } from './types.ts'

export interface CommandDeps {
  readonly pool: PostgresPool
  readonly node: string
  readonly log: Logger
  readonly counters: CounterWriter
  /** Null = this node does not lead. */
  readonly term: () => Term | null
  /** Resolves with the revision when all that the call has changed is in the database, and the answer with it. */
  readonly answer: (command: StoredAnswer) => Promise<void>
  /** Resolves when this revision has been applied here. */
  readonly reach: (rev: number) => Promise<void>
}

/** The answer as it is stored: `answer` is JSON. */
export interface StoredAnswer {
  readonly id: string
  readonly answer: Omit<ForwardedAnswer, 'body'>
  readonly body: Uint8Array
}

export interface Commands {
  /** For followers; rejects with a `ForwardingError`. */
  ask(request: ForwardedRequest): Promise<ForwardedAnswer>
  /** For the leader: takes what waits. */
  takeAll(): Promise<void>
  serve(run: (request: ForwardedRequest) => Promise<ForwardedAnswer>): void
  /** An answer has been stored. */
  hearAnswer(id: string): void
  /** Ends what waits for answers. */
  stop(): void
}

const BODY_LIMIT = 10 * 1024 * 1024
/** Beside the notification, which may be missed. */
const LOOK_MS = 250

const INSERT = `WITH c AS (
    INSERT INTO command (id, node, request, body, created_at, deadline)
      VALUES ($1, $2, $3, $4, clock_timestamp(), clock_timestamp() + make_interval(secs => $5)) RETURNING id)
  SELECT pg_notify('footman_command', id::text) FROM c`
const READ = `SELECT answer, answer_body AS body, rev, taken_epoch IS NOT NULL AS taken FROM command WHERE id = $1`
/** A call that waited too long must not be carried out after its caller was refused. */
const WITHDRAW = 'DELETE FROM command WHERE id = $1 AND taken_epoch IS NULL RETURNING id'
const OPEN = 'SELECT id FROM command WHERE taken_epoch IS NULL ORDER BY created_at LIMIT 50'
/** Taken once, by the leader alone. */
const TAKE = `UPDATE command SET taken_epoch = $1, taken_at = clock_timestamp()
  WHERE id = $2 AND taken_epoch IS NULL AND deadline > clock_timestamp()
    AND EXISTS (SELECT FROM fence WHERE token = $3) RETURNING request, body`

interface Row {
  readonly answer: Omit<ForwardedAnswer, 'body'> | null
  readonly body: Uint8Array | null
  readonly rev: number | null
  readonly taken: boolean
}

export function createCommands(deps: CommandDeps, settings: { readonly timeoutMs: () => number }): Commands {
  const { pool, node, log, counters } = deps
  const waiting = new Map<string, () => void>()
  const stopping = new AbortController()
  let run: ((request: ForwardedRequest) => Promise<ForwardedAnswer>) | null = null
  let taking: Promise<void> | null = null
  let again = false

  async function ask(request: ForwardedRequest): Promise<ForwardedAnswer> {
    const { body, signal, ...rest } = request
    if (body && body.byteLength > BODY_LIMIT) {
      throw new ForwardingError('BODY_TOO_LARGE', 'Calls that are answered by the leader carry at most 10 MiB')
    }
    const id = randomUUID()
    const deadline = performance.now() + settings.timeoutMs()
    await reachable(() =>
      pool.query(INSERT, [id, node, JSON.stringify(rest), body && Buffer.from(body), settings.timeoutMs() / 1000]),
    )
    const row = await untilAnswered(id, deadline)
    if (row.rev !== null) await deps.reach(row.rev).catch(() => undefined)
    return { ...row.answer, body: row.body ?? new Uint8Array() }
  }

  async function untilAnswered(id: string, deadline: number) {
    for (;;) {
      await heard(id, Math.min(LOOK_MS, deadline - performance.now()))
      const [row] = await pool.query<Row>(READ, [id]).catch(() => [])
      if (row?.answer) return { ...row, answer: row.answer }
      if (performance.now() < deadline && !stopping.signal.aborted) continue
      throw await giveUp(id, row?.taken ?? true)
    }
  }

  /** Resolves early when the answer is announced. */
  async function heard(id: string, ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.set(id, resolve)
    await Promise.race([promise, pause(Math.max(ms, 1), undefined, { signal: stopping.signal }).catch(() => undefined)])
    waiting.delete(id)
  }

  async function giveUp(id: string, maybeTaken: boolean): Promise<ForwardingError> {
    const withdrawn = await pool.query(WITHDRAW, [id]).catch(() => [])
    if (withdrawn.length > 0 || !maybeTaken) {
      return new ForwardingError(
        'NO_LEADER',
        'No node leads the cluster at the moment. Nothing was done; repeat the call',
      )
    }
    return new ForwardingError(
      'OUTCOME_UNKNOWN',
      'The leader took the call and has not answered. Repeat it with the same Idempotency-Key to learn what came of it',
    )
  }

  async function take(): Promise<void> {
    do {
      again = false
      const term = deps.term()
      if (!term || !run) return
      const open = await pool.query<{ id: string }>(OPEN)
      for (const { id } of open) {
        const [row] = await pool.query<{ request: Omit<ForwardedRequest, 'body' | 'signal'>; body: Uint8Array | null }>(
          TAKE,
          [term.epoch, id, term.token],
        )
        if (row) void carryOut(id, { ...row.request, body: row.body, signal: stopping.signal }, run)
      }
    } while (again)
  }

  async function carryOut(id: string, request: ForwardedRequest, handler: NonNullable<typeof run>): Promise<void> {
    try {
      const { body, ...answer } = await handler(request)
      const headers = { ...answer.headers, 'footman-leader': node }
      await deps.answer({ id, answer: { ...answer, headers }, body })
      counters.addCommand('answered')
    } catch (error) {
      counters.addCommand('failed')
      log.warn(
        `CLUSTER A call of another node could not be answered (${request.method} ${request.url.split('?', 1)[0]}): ${errorText(error)}`,
      )
    }
  }

  return {
    ask,
    serve(handler) {
      run = handler
    },
    takeAll() {
      again = true
      taking ??= take()
        .catch((error: unknown) => log.debug(`CLUSTER Calls of other nodes cannot be read: ${errorText(error)}`))
        .finally(() => {
          taking = null
        })
      return taking
    },
    hearAnswer: (id) => waiting.get(id)?.(),
    stop: () => stopping.abort(),
  }
}

async function reachable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PostgresError && error.fault === 'wrong') throw error
    throw new ForwardingError('CLUSTER_UNAVAILABLE', 'The database of the cluster cannot be reached. Nothing was done')
  }
}
