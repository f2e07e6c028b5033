/** A pool of connections to the primary server. */
import { connectPrimary } from './connect.ts'
import type { Connection } from './connection.ts'
import { PostgresError } from './errors.ts'
import type { PostgresPool, PostgresSettings, Queryable } from './types.ts'

export function createPostgresPool(settings: PostgresSettings): PostgresPool {
  const all = new Set<Connection>()
  /** The last one used is used next. */
  const idle: Connection[] = []
  const waiting: ((connection: Connection | null) => void)[] = []
  const closing = new AbortController()
  let opening = 0
  let newest: Connection | null = null
  let timeline: number | null = null
  let refusingSince: number | null = null

  async function acquire(): Promise<Connection> {
    const giveUpAt = performance.now() + settings.statementTimeoutMs + settings.connectTimeoutMs
    for (;;) {
      if (closing.signal.aborted) throw new PostgresError('the connections are closed', 'down', null)
      const free = idle.pop()
      if (free) return free
      if (all.size + opening < settings.connections) return openOne()
      const next = await nextFree(giveUpAt - performance.now())
      if (next?.isOpen) return next
    }
  }

  async function openOne(): Promise<Connection> {
    opening += 1
    try {
      const opened = await connectPrimary(settings, { signal: closing.signal })
      if ('error' in opened) throw failed(opened)
      if (closing.signal.aborted) {
        opened.destroy()
        throw new PostgresError('the connections are closed', 'down', null)
      }
      keep(opened)
      return opened
    } finally {
      opening -= 1
      wakeOne()
    }
  }

  function failed({ error, isRefused }: { readonly error: PostgresError; readonly isRefused: boolean }): PostgresError {
    refusingSince = isRefused ? (refusingSince ?? performance.now()) : null
    return error
  }

  function keep(connection: Connection): void {
    refusingSince = null
    newest = connection
    timeline = connection.timeline
    all.add(connection)
    connection.onEnd(() => {
      all.delete(connection)
      // Most often the server or the way to it is gone, and each of the others would wait for its own deadline.
      for (const other of idle.splice(0)) other.destroy()
      wakeOne()
    })
  }

  /** Null: there may be room for a new connection. */
  function nextFree(ms: number): Promise<Connection | null> {
    const { promise, resolve, reject } = Promise.withResolvers<Connection | null>()
    const take = (connection: Connection | null) => {
      clearTimeout(timer)
      resolve(connection)
    }
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(take), 1)
      reject(new PostgresError('all connections are busy', 'down', null))
    }, ms)
    waiting.push(take)
    return promise
  }

  function wakeOne(): void {
    waiting.shift()?.(null)
  }

  function release(connection: Connection): void {
    if (!connection.isOpen) return
    if (closing.signal.aborted) return void connection.close()
    const next = waiting.shift()
    if (next) next(connection)
    else idle.push(connection)
  }

  async function use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await acquire().catch(unsent)
    try {
      return await work(connection)
    } finally {
      release(connection)
    }
  }

  async function inTransaction<T>(connection: Connection, work: (tx: Queryable) => Promise<T>): Promise<T> {
    await connection.query('BEGIN')
    try {
      const result = await work(connection)
      await connection.query('COMMIT')
      return result
    } catch (error) {
      if (connection.isOpen) await connection.query('ROLLBACK').catch(() => connection.destroy())
      throw error
    }
  }

  return {
    query: (sql, parameters) => use((connection) => connection.query(sql, parameters)),
    transaction: (work) => use((connection) => inTransaction(connection, work)),
    get host() {
      return all.size > 0 ? (newest?.host ?? null) : null
    },
    get timeline() {
      return timeline
    },
    get refusingSince() {
      return refusingSince
    },
    async close() {
      closing.abort()
      for (const take of waiting.splice(0)) take(null)
      const leaving = idle.splice(0)
      for (const connection of [...all]) if (!leaving.includes(connection)) connection.destroy()
      await Promise.all(leaving.map((connection) => connection.close()))
    },
  }
}

/** No statement has left this computer. */
function unsent(error: unknown): never {
  if (!(error instanceof PostgresError)) throw error
  throw new PostgresError(error.message, error.fault, error.code, { cause: error, isSent: false })
}
