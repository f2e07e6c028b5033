/** A site whose tasks take 300 ms, and the executable beside it, for tests of starts and executions. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'bun:test'
import { type Footman, footman } from './footman.ts'
import { startSite, type TestSite } from './simulator.ts'
import { until } from './wait.ts'

export const FINANCIAL = 'a8b4c123-def4-5678-9abc-def012345678'
export const SALES_ETL = '70000000-0000-4000-8000-000000000001'
export const WILD = '70000000-0000-4000-8000-000000000004'
export const FAILING = '70000000-0000-4000-8000-000000000006'
export const SLOW = '70000000-0000-4000-8000-000000000007'
export const FLAKY = '70000000-0000-4000-8000-000000000008'
export const DISABLED = '70000000-0000-4000-8000-000000000009'
export const UNKNOWN = '11111111-2222-3333-4444-555555555555'

export interface Started {
  readonly tasksStarted: readonly {
    readonly taskId: string
    readonly taskName: string
    readonly executionId: string
    readonly execution: { readonly state: string; readonly outcome: string | null; readonly statusText: string }
  }[]
  readonly tasksQueued?: readonly { readonly taskId: string; readonly queueId: string }[]
  readonly tasksFailed?: readonly { readonly taskId: string }[]
}

// One scene serves all tests of a file; `startExecutionScene` fills it before the first of them.
export let site: TestSite
export let product: Footman

/** Starts the scene before the tests of a file, and ends what runs after each. Called once, at the top level. */
export function startExecutionScene(): void {
  beforeAll(async () => {
    site = await startSite()
    site.simulator.setTask(WILD, { name: 'Sales*' })
    product = await footman({ simulator: site.simulator })
    await product.start()
  }, 90_000)
  beforeEach(() => {
    for (const task of site.simulator.site.tasks.values()) {
      if (task.taskType === 0) site.simulator.setTask(task.id, { durationMs: 300, queueMs: 0 })
    }
    site.simulator.setTask(SLOW, { durationMs: 60_000 })
  })
  // A task that is still running cannot be started again. No reset: it would give out the same execution ids once more.
  afterEach(async () => {
    const { simulator } = site
    await product.call('DELETE', '/v4/startqueue/-')
    await until(() => {
      for (const { task } of simulator.site.sessions.values()) simulator.abort(task.id)
      return simulator.site.sessions.size === 0
    })
    simulator.clearRequests()
  })
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })
}

export const post = async (path: string, body: unknown = {}, headers: Record<string, string> = {}) => {
  const answer = await product.call('POST', `/v4/reloadtask/${path}`, body, headers)
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Started }
}
export const get = async (path: string) => {
  const answer = await product.call('GET', path)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
export const startsOf = (one: TestSite) =>
  one.simulator
    .requests({ listener: 'qrs' })
    .flatMap(({ method, path }) => (method === 'POST' ? (/task\/([0-9a-f-]{36})\/start/.exec(path)?.[1] ?? []) : []))
