/** A pool of connections to the primary server. */
import { type Connection, connectPrimary } from './connect.ts'
import { PostgresError } from './errors.ts'
import type { PostgresPool, PostgresSettings, Queryable } from './types.ts'

export function createPostgresPool(settings: PostgresSettings): PostgresPool {
  const idle: Connection[] = []
  const all = new Set<Connection>()
  const waiting: ((connection: Connection | null) => void)[] = []
  let opening = 0
  let isClosed = false
  let newest: Connection | null = null
  let lastAnswerAt: number | null = null
  let refusingSince: number | null = null
  let reason = ''

  function answered(): void {
    lastAnswerAt = performance.now()
  }

  async function acquire(): Promise<Connection> {
    for (;;) {
      if (isClosed) throw new PostgresError('the connections are closed', 'down', null)
      const free = idle.pop()
      if (free?.isOpen) return free
      if (free) continue
      if (all.size + opening < settings.connections) return openOne()
      const next = await nextFree()
      if (next?.isOpen) return next
    }
  }

  async function openOne(): Promise<Connection> {
    opening += 1
    try {
      const opened = await connectPrimary(settings, answered)
      if ('error' in opened) {
        refusingSince = opened.isRefused ? (refusingSince ?? performance.now()) : null
        reason = opened.error.message
        throw opened.error
      }
      refusingSince = null
      reason = ''
      newest = opened
      all.add(opened)
      opened.onEnd(() => {
        all.delete(opened)
        wakeOne()
      })
      return opened
    } finally {
      opening -= 1
      wakeOne()
    }
  }

  /** Null: there may be room for a new connection. */
  function nextFree(): Promise<Connection | null> {
    const { promise, resolve, reject } = Promise.withResolvers<Connection | null>()
    const take = (connection: Connection | null) => {
      clearTimeout(timer)
      resolve(connection)
    }
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(take), 1)
      reject(new PostgresError('all connections are busy', 'down', null))
    }, settings.statementTimeoutMs + settings.connectTimeoutMs)
    waiting.push(take)
    return promise
  }

  function wakeOne(): void {
    waiting.shift()?.(null)
  }

  function release(connection: Connection): void {
    if (!connection.isOpen) return
    if (isClosed) connection.destroy()
    else {
      const next = waiting.shift()
      if (next) next(connection)
      else idle.push(connection)
    }
  }

  async function use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await acquire()
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
      return newest?.isOpen || all.size > 0 ? (newest?.host ?? null) : null
    },
    get timeline() {
      return newest?.timeline ?? null
    },
    get lastAnswerAt() {
      return lastAnswerAt
    },
    get refusingSince() {
      return refusingSince
    },
    get reason() {
      return reason
    },
    async close() {
      isClosed = true
      for (const connection of [...all]) connection.destroy()
      for (const take of waiting.splice(0)) take(null)
    },
  }
}
