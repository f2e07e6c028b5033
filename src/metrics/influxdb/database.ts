/** Makes the database or bucket where it is missing and Footman may. Best effort: points wait as long as it takes. */
import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import type { Logger, Service } from '../../platform/types.ts'
import { createExplanation } from './answer.ts'
import type { InfluxConnection } from './connection.ts'
import { type Ask, type DatabaseConfig, type Look, lookFor, type Say } from './database-versions.ts'

export interface DatabaseDeps {
  readonly connection: InfluxConnection
  readonly log: Logger
  /** Resolves when no write is under way. */
  readonly quiet: () => Promise<unknown>
}

export interface DatabaseMaker extends Service {
  /** True when it is there now, so that points can leave soon. Never rejects; several calls at once are one. */
  make(): Promise<boolean>
  /**
   * Resolves when nobody is looking or making: what is written between the making of a database and that of its retention
   * policy would be kept under another policy, where no dashboard finds it.
   */
  idle(): Promise<void>
}

const RETRY: BackoffSettings = { firstMs: 5000, maxMs: 300_000 }

export function createDatabaseMaker(
  { connection, log, quiet }: DatabaseDeps,
  config: DatabaseConfig,
  retry = RETRY,
): DatabaseMaker {
  const say: Say = { log, explain: createExplanation(connection.target.secrets), policyPending: false }
  const stopping = new AbortController()
  let looking: Promise<Look | null> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastProblem = ''

  const ask: Ask = (method, path, body, headers) =>
    connection.request({
      ...{ method, path, signal: stopping.signal },
      headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

  /** Null when it has to be tried again. */
  function look(): Promise<Look | null> {
    looking ??= quiet()
      .then(() => lookFor(ask, config, say))
      .then(
        (result) => {
          lastProblem = ''
          return result
        },
        (error: unknown) => {
          complain(error instanceof Error ? error.message : String(error))
          return null
        },
      )
      .finally(() => {
        looking = null
      })
    return looking
  }

  /** The same trouble is told once. */
  function complain(problem: string): void {
    if (problem !== lastProblem && !stopping.signal.aborted) log.error(problem)
    lastProblem = problem
  }

  async function untilLooked(attempt: number): Promise<void> {
    const result = await look()
    if (result !== null || stopping.signal.aborted) return
    timer = setTimeout(() => void untilLooked(attempt + 1), backoffDelay(attempt, retry))
  }

  return {
    name: 'InfluxDB database',
    async make() {
      const result = await look()
      return result === 'made' || result === 'exists'
    },
    async idle() {
      while (looking) await looking
    },
    async start() {
      void untilLooked(1)
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
    },
  }
}
