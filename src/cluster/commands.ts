/**
 * REST calls of other nodes: a call that changes something shared is a row of the database, which the leader takes once, and
 * answers together with the rows that it has changed.
 */
import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { errorText } from '../platform/errors.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import type { Logger } from '../platform/types.ts'
import type { ClusterClock } from './clock.ts'
import type { CounterWriter } from './counters.ts'
import { type ForwardedAnswer, type ForwardedRequest, ForwardingError, type Term } from './types.ts'

export interface CommandDeps {
  readonly pool: PostgresPool
  readonly node: string
  readonly clock: Pick<ClusterClock, 'monotonic'>
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
  /** Takes no more, and resolves when those under way are answered. */
  finish(): Promise<void>
  /** The node has another part, or ends: calls that wait are answered at once. */
  stop(): void
}

const BODY_LIMIT = 10 * 1024 * 1024
/** Beside the notification, which may be missed. */
const LOOK_MS = 250

/**
 * Again with the same id when the answer to the first try was lost. The commit does not wait for the disk: a call that a server
 * loses is never carried out, as it is on disk when it is taken.
 */
const INSERT = `WITH s AS (SELECT set_config('synchronous_commit', 'off', true)), c AS (
    INSERT INTO command (id, node, request, body, created_at, deadline)
      VALUES ($1, $2, $3, $4, clock_timestamp(), clock_timestamp() + make_interval(secs => $5))
      ON CONFLICT (id) DO NOTHING RETURNING id)
  SELECT pg_notify('footman_command', id::text) FROM c, s`
/** A leader that was replaced cannot answer any more. */
const READ = `SELECT answer, answer_body AS body, rev, taken_epoch IS NOT NULL AS "isTaken",
    taken_epoch < (SELECT epoch FROM fence) AS "isLost",
    (SELECT expires_at > clock_timestamp() FROM lease WHERE duty = 'leader') AS "isLed" FROM command WHERE id = $1`
/** A call that waited too long must not be carried out after its caller was refused. */
const WITHDRAW = 'DELETE FROM command WHERE id = $1 AND taken_epoch IS NULL RETURNING id'
/** Each is taken once, by the leader alone. */
const TAKE = `UPDATE command SET taken_epoch = $1, taken_at = clock_timestamp()
  WHERE id IN (SELECT id FROM command WHERE taken_epoch IS NULL AND deadline > clock_timestamp()
      ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED)
    AND EXISTS (SELECT FROM fence WHERE token = $2) RETURNING id, request, body`
const TAKEN_AT_ONCE = 50
const FORGET = `DELETE FROM command WHERE deadline < clock_timestamp() - interval '10 min'`
const FORGET_EVERY_MS = 60_000

interface Row {
  readonly answer: Omit<ForwardedAnswer, 'body'> | null
  readonly body: Uint8Array | null
  readonly rev: number | null
  readonly isTaken: boolean
  readonly isLost: boolean | null
  readonly isLed: boolean
}

interface TakenRow {
  readonly id: string
  readonly request: Omit<ForwardedRequest, 'body' | 'signal'>
  readonly body: Uint8Array | null
}

/** A call that waits for its answer. */
interface Asking {
  readonly id: string
  /** By the monotonic clock. */
  readonly deadline: number
  readonly signal: AbortSignal
  /** The database may have the row although it did not say so. */
  mayBeStored: boolean
}

export function createCommands(deps: CommandDeps, settings: { readonly timeoutMs: () => number }): Commands {
  const { pool, node, log, counters, clock } = deps
  const waiting = new Map<string, () => void>()
  const stopping = new AbortController()
  let run: ((request: ForwardedRequest) => Promise<ForwardedAnswer>) | null = null
  let taking: Promise<void> | null = null
  let again = false
  let forgottenAt = Number.NEGATIVE_INFINITY
  let isFinishing = false
  const underWay = new Set<Promise<void>>()

  async function ask({ body, signal, ...rest }: ForwardedRequest): Promise<ForwardedAnswer> {
    if (body && body.byteLength > BODY_LIMIT) {
      throw new ForwardingError('BODY_TOO_LARGE', 'Calls that are answered by the leader carry at most 10 MiB')
    }
    const began = clock.monotonic()
    const deadline = began + settings.timeoutMs()
    const asking: Asking = {
      id: randomUUID(),
      deadline,
      mayBeStored: false,
      signal: AbortSignal.any([signal, stopping.signal]),
    }
    await store(asking, JSON.stringify(rest), body && Buffer.from(body))
    const row = await untilAnswered(asking)
    if (row.rev !== null) await deps.reach(row.rev).catch(() => undefined)
    counters.time('command', clock.monotonic() - began)
    return { ...row.answer, body: row.body ?? new Uint8Array() }
  }

  const isOver = ({ deadline, signal }: Asking): boolean => clock.monotonic() >= deadline || signal.aborted

  /** The database may be away for a moment. */
  async function store(asking: Asking, request: string, body: Buffer | null): Promise<void> {
    for (;;) {
      const leftMs = Math.max(asking.deadline - clock.monotonic(), 1)
      try {
        await pool.query(INSERT, [asking.id, node, request, body, leftMs / 1000])
        asking.mayBeStored = true
        return
      } catch (error) {
        if (!(error instanceof PostgresError) || error.fault === 'wrong') throw error
        if (!error.isUndone) asking.mayBeStored = true
        if (isOver(asking)) throw await giveUp(asking)
        await heard(asking)
      }
    }
  }

  async function untilAnswered(asking: Asking) {
    for (;;) {
      await heard(asking)
      const [row] = await pool.query<Row>(READ, [asking.id]).catch(() => [])
      if (row?.answer) return { ...row, answer: row.answer }
      if (row?.isLost) throw new ForwardingError('OUTCOME_UNKNOWN', REPLACED)
      // Some calls take long; a leader that lives is still at it.
      const isUnderWay = row?.isTaken && row.isLed && !asking.signal.aborted
      if (isOver(asking) && !isUnderWay) throw await giveUp(asking)
    }
  }

  /** Resolves early when the answer is announced. */
  async function heard({ id, deadline, signal }: Asking): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const leftMs = deadline - clock.monotonic()
    const timer = setTimeout(resolve, leftMs > 0 ? Math.min(LOOK_MS, leftMs) : LOOK_MS)
    waiting.set(id, resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    clearTimeout(timer)
    waiting.delete(id)
  }

  async function giveUp({ id, mayBeStored }: Asking): Promise<ForwardingError> {
    if (!mayBeStored) return new ForwardingError('CLUSTER_UNAVAILABLE', AWAY)
    // Null: the database does not say.
    const withdrawn = await pool.query(WITHDRAW, [id]).catch(() => null)
    if (withdrawn?.length === 1) return new ForwardingError('NO_LEADER', NOT_LED, stopping.signal.aborted)
    return new ForwardingError('OUTCOME_UNKNOWN', withdrawn === null ? CUT_OFF : UNANSWERED)
  }

  async function take(): Promise<void> {
    do {
      again = false
      const term = deps.term()
      const handler = run
      if (!term || !handler || isFinishing) return
      const taken = await pool.query<TakenRow>(TAKE, [term.epoch, term.token, TAKEN_AT_ONCE])
      for (const { id, request, body } of taken) {
        const work = carryOut(id, { ...request, body, signal: stopping.signal }, handler)
        underWay.add(work)
        void work.finally(() => underWay.delete(work))
      }
      again ||= taken.length === TAKEN_AT_ONCE
    } while (again)
    await forget()
  }

  async function forget(): Promise<void> {
    if (clock.monotonic() - forgottenAt < FORGET_EVERY_MS) return
    forgottenAt = clock.monotonic()
    await pool.query(FORGET)
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
    async finish() {
      isFinishing = true
      await taking
      await Promise.all(underWay)
    },
    stop: () => stopping.abort(),
  }
}

const AWAY = 'The database of the cluster cannot be used by this node. Nothing was done; repeat the call'
const NOT_LED = 'No node leads the cluster at the moment. Nothing was done; repeat the call'
const REPEAT = 'Repeat it with the same Idempotency-Key to learn what came of it'
const UNANSWERED = `The leader took the call and has not answered. ${REPEAT}`
const REPLACED = `The leader took the call and was replaced before it answered. ${REPEAT}`
const CUT_OFF = `The database of the cluster cannot be reached any more; the leader may have taken the call. ${REPEAT}`
