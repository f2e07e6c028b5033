/** Questions of many events at once become few requests: tasks, apps and execution results are asked for together. */
import { setImmediate as turn } from 'node:timers/promises'
import { createLimiter, type Limiter } from '../../platform/limiter.ts'
import { type Clock, type Logger, systemClock } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { withSignal } from './cached.ts'
import { QrsError } from './errors.ts'
import { IDS_PER_REQUEST } from './executions.ts'
import { isDown } from './failure.ts'
import type { ExecutionReader, QrsClient, SiteReader } from './types.ts'

/** Requests under way. */
const MOST_REQUESTS = 4
/** Script logs that are fetched at the same time; each takes two requests, one after the other. */
const MOST_LOGS = 6
/** For so long a server that refuses a filter of many ids is asked for one after the other. */
const REFUSED_MS = 600_000
/** No site is known to cut lists shorter than this. */
const SUSPICIOUS_LENGTH = 50

type Batchable = QrsClient & Pick<ExecutionReader, 'resultsOfExecutions'> & Pick<SiteReader, 'tasksById' | 'appsById'>

/**
 * `taskById`, `appById` and `executionResults` of one turn of the event loop, and of the time while four requests are
 * under way, share requests of up to 50 ids. One question alone is the request that the client makes by itself. Where a
 * server refuses such a request (an older version: 400), or its answer cannot be used, each id is asked for by itself.
 * `scriptLog` waits while six are being fetched. Everything else goes straight through.
 */
export function createBatchedQrs(
  client: Batchable,
  { log, clock = systemClock }: { log: Logger; clock?: Clock },
): QrsClient {
  const slots = createLimiter(MOST_REQUESTS)
  const logs = createLimiter(MOST_LOGS)
  const deps = { slots, log, clock }
  return {
    ...client,
    taskById: createBatch(deps, {
      one: client.taskById,
      many: client.tasksById,
      keyOf: ({ id }) => id,
      answer: ([task = null]) => task,
    }),
    appById: createBatch(deps, {
      one: client.appById,
      many: client.appsById,
      keyOf: ({ id }) => id,
      answer: ([app = null]) => app,
    }),
    executionResults: createBatch(deps, {
      one: client.executionResults,
      many: client.resultsOfExecutions,
      keyOf: ({ executionID }) => executionID,
      answer: (results) => results,
    }),
    async scriptLog(taskId, result, signal) {
      const leave = await logs.enter(signal)
      try {
        return await client.scriptLog(taskId, result, signal)
      } finally {
        leave()
      }
    },
  }
}

interface Question<Row, Answer> {
  one(id: string, signal?: AbortSignal): Promise<Answer>
  many(ids: readonly string[], signal?: AbortSignal): Promise<readonly Row[]>
  /** The id that a row is about. */
  keyOf(row: Row): string | undefined
  /** From the rows about one id; [] when there are none. */
  answer(rows: readonly Row[]): Answer
}

interface Entry<Answer> extends PromiseWithResolvers<Answer> {
  readonly id: string
  callers: number
  /** Called when no caller waits any more. */
  abandon(): void
}

interface BatchDeps {
  readonly slots: Limiter
  readonly log: Logger
  readonly clock: Clock
}

function createBatch<Row, Answer>(
  { slots, log, clock }: BatchDeps,
  { one, many, keyOf, answer }: Question<Row, Answer>,
): (id: string, signal?: AbortSignal) => Promise<Answer> {
  /** By id in lower case. */
  const queue = new Map<string, Entry<Answer>>()
  let refusedUntil = 0
  let isClaimed = false

  function claim(): void {
    if (isClaimed || queue.size === 0) return
    isClaimed = true
    // Questions of the same turn join.
    void slots.enter().then((leave) => turn().then(send).finally(leave))
  }

  async function send(): Promise<void> {
    isClaimed = false
    const size = clock.now() < refusedUntil ? 1 : IDS_PER_REQUEST
    const taken = [...queue].slice(0, size)
    for (const [key] of taken) queue.delete(key)
    claim()
    const entries = taken.map(([, entry]) => entry)
    const cut = new AbortController()
    let open = entries.length
    for (const entry of entries) {
      entry.abandon = () => {
        open -= 1
        if (open === 0) cut.abort()
      }
    }
    if (entries.length > 1) await askTogether(entries, cut.signal)
    else for (const entry of entries) await askAlone(entry, cut.signal)
  }

  async function askTogether(entries: readonly Entry<Answer>[], signal: AbortSignal): Promise<void> {
    let rows: readonly Row[]
    try {
      rows = await many(
        entries.map(({ id }) => id),
        signal,
      )
    } catch (error) {
      if (!isOfThisRequest(error)) {
        for (const { reject } of entries) reject(error)
        return
      }
      if (isRefusal(error)) refusedUntil = clock.now() + REFUSED_MS
      log.verbose(`QRS: a request for ${entries.length} ids is not answered, each is asked for alone`, { error })
      for (const entry of entries) await askAlone(entry, signal)
      return
    }
    const found = Map.groupBy(rows, (row) => keyOf(row)?.toLowerCase())
    for (const entry of entries) {
      const own = found.get(entry.id.toLowerCase()) ?? []
      // A site may cut long lists.
      if (own.length === 0 && rows.length >= SUSPICIOUS_LENGTH) await askAlone(entry, signal)
      else entry.resolve(answer(own))
    }
  }

  async function askAlone({ id, callers, resolve, reject }: Entry<Answer>, signal: AbortSignal): Promise<void> {
    if (callers > 0) await one(id, signal).then(resolve, reject)
  }

  function entryOf(id: string): Entry<Answer> {
    const key = id.toLowerCase()
    const known = queue.get(key)
    if (known) return known
    const entry: Entry<Answer> = {
      ...Promise.withResolvers<Answer>(),
      id,
      callers: 0,
      abandon: () => queue.delete(key),
    }
    entry.promise.catch(() => undefined)
    queue.set(key, entry)
    return entry
  }

  return (id, signal) => {
    if (!isGuid(id)) return one(id, signal)
    if (signal?.aborted) return Promise.reject(signal.reason)
    const entry = entryOf(id)
    entry.callers += 1
    claim()
    if (!signal) return entry.promise
    const leave = () => {
      entry.callers -= 1
      if (entry.callers === 0) entry.abandon()
    }
    signal.addEventListener('abort', leave, { once: true })
    return withSignal(entry.promise, signal).finally(() => signal.removeEventListener('abort', leave))
  }
}

/** The server has answered, but this request may be at fault: others need not fail. */
function isOfThisRequest(error: unknown): boolean {
  return error instanceof QrsError && ['status', 'shape', 'notJson'].includes(error.kind) && !isDown(error)
}

function isRefusal(error: unknown): boolean {
  return error instanceof QrsError && error.status !== null && error.status >= 400 && error.status < 500
}
