/** Many tasks of a simulated site fail within a second: right after the first start, once more, and then others that are new. */
import { startBenchSite } from '../bench/site.ts'
import { startTarget, udpOpen } from '../bench/target.ts'
import { startHttpSink } from './http-sink.ts'
import { until } from './wait.ts'

export interface MassFailure {
  /** Executions that were alerted. */
  readonly alerts: number
  /** Milliseconds from the request for the failures to the last alert. */
  readonly ms: number
  /** Requests to the repository meanwhile; of a new installation until it has read what it reads once. */
  readonly requests: number
}

export interface MassFailures {
  /** They begin as soon as a new installation listens. */
  readonly first: MassFailure
  /** The same tasks fail again. */
  readonly known: MassFailure
  /** Tasks fail that were made since. */
  readonly unknown: MassFailure
}

/** `directory` is an empty folder; `count` tasks fail each time. */
export async function measureMassFailures(directory: string, count: number): Promise<MassFailures> {
  await using site = await startBenchSite(directory)
  await using sink = await startHttpSink()
  const ids = await site.addTasks(count)
  const sections = { emailNotification: { enable: false } }
  const target = await startTarget({ site, directory, webhookUrl: sink.url, smtpPort: 1, sections })
  await using running = target.running
  await udpOpen(target.udpPort)

  async function fail(taskIds: readonly string[], settled?: () => Promise<unknown>): Promise<MassFailure> {
    sink.requests.length = 0
    const before = (await site.repositoryRequests()).length
    const started = performance.now()
    const { executionIds } = await site.burst(target.udpPort, count, taskIds)
    await until(() => sink.requests.length >= count, { timeout: 120_000, what: 'all alerts' })
    const ms = performance.now() - started
    await settled?.()
    const seen = new Set(sink.requests.map(({ body }) => (JSON.parse(body) as { executionId: string }).executionId))
    const alerts = executionIds.filter((id) => seen.has(id)).length
    return { alerts, ms, requests: (await site.repositoryRequests()).length - before }
  }

  const first = await fail(ids, () => running.waitForLine(/HISTORY: The last results of/, 60_000))
  const known = await fail(ids)
  return { first, known, unknown: await fail(await site.addTasks(count)) }
}
