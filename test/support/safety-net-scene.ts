/** A site whose clock is behind, and a Footman that was down for hours, for tests of the safety net. */
import { afterAll, beforeAll } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { createSimClock } from '../../simulator/clock.ts'
import { type Footman, footman } from './footman.ts'
import { type HttpSink, startHttpSink } from './http-sink.ts'
import { startSite, type TestSite } from './simulator.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const LONG_AGO = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
export const LATELY = '70000000-0000-4000-8000-000000000011'
export const STUCK = '70000000-0000-4000-8000-000000000007'
export const USER_SYNC = '72000000-0000-4000-8000-000000000002'
export const HEALTHY = '70000000-0000-4000-8000-000000000013'
export const MADE_UP = '0bad2222-0000-4000-8000-000000000001'
export const RETRIED = '70000000-0000-4000-8000-000000000012'

export interface EventRow {
  readonly source: string
  readonly outcome: string
  readonly state: string
  readonly reason: string | null
  readonly taskId: string
}

// One scene serves all tests of a file; `startSafetyNet` fills it before the first of them.
export let site: TestSite
export let sink: HttpSink
export let product: Footman

/** Changes the database of a Footman that is not running. */
export function change(sql: string, ...values: number[]): void {
  const db = new DatabaseSync(product.directory.join('data', 'footman.db'))
  db.prepare(sql).run(...values)
  db.close()
}

/** Runs a task at that time of the site's clock; resolves with its execution id. */
export async function runAt(
  at: number,
  task: string,
  behaviour: Parameters<TestSite['simulator']['setTask']>[1],
): Promise<string> {
  const { simulator } = site
  simulator.clock.set(at)
  simulator.setTask(task, { durationMs: 30, ...behaviour })
  const ended = simulator.ended(task)
  const id = simulator.runTask(task)
  await ended
  return id
}

export const eventsOf = async (query: string): Promise<EventRow[]> => {
  const answer = await product.call('GET', `/v4/events?limit=500&${query}`)
  return ((await answer.json()) as { events: EventRow[] }).events
}
export const alerted = (): string[] =>
  sink.requests
    .filter(({ url }) => !url.includes('tickets'))
    .map(({ body }) => (JSON.parse(body) as { executionId: string }).executionId)

/** Starts the scene before the tests of a file. Called once, at the top level. */
export function startSafetyNet(): void {
  beforeAll(async () => {
    sink = await startHttpSink()
    // Behind the clock of Footman: what ends has ended long enough ago at once.
    site = await startSite({}, { clock: createSimClock({ now: Date.now() - 3 * MINUTE }) })
    product = await footman({
      simulator: site.simulator,
      webhookUrl: sink.url,
      config: {
        footman: {
          reconciler: { interval: '10s' },
          destinations: { tickets: { type: 'webhook', url: `${sink.url}/tickets` } },
          alertRoutes: [{ name: 'syncs', match: { type: 'userSync' }, to: ['tickets'] }],
        },
      },
    })
    await product.start()
    await product.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
    await product.process.kill9()
    const now = Date.now()
    change('UPDATE safety_net_mark SET at = ?', now - 4 * HOUR)
    change(
      'INSERT OR REPLACE INTO safety_net_mark VALUES (?, ?)'.replace('?, ?', "'reconciler.looked', ?"),
      now - 4 * HOUR,
    )
  }, 90_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
    await sink?.stop()
  })
}
