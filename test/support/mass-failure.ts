/** Many tasks of a simulated site fail within a second: first those that Footman has met, then others that it has not. */
import { startBenchSite } from '../bench/site.ts'
import { startTarget, udpOpen } from '../bench/target.ts'
import { startHttpSink } from './http-sink.ts'
import { until } from './wait.ts'

export interface MassFailure {
  /** Executions that were alerted. */
  readonly alerts: number
  /** Milliseconds from the request for the failures to the last alert. */
  readonly ms: number
  /** Requests to the repository meanwhile. */
  readonly requests: number
}

/** `directory` is an empty folder; `count` tasks fail each time. */
export async function measureMassFailures(
  directory: string,
  count: number,
): Promise<{ readonly known: MassFailure; readonly unknown: MassFailure }> {
  await using site = await startBenchSite(directory)
  await using sink = await startHttpSink()
  const knownIds = await site.addTasks(count)
  const sections = { emailNotification: { enable: false } }
  const target = await startTarget({ site, directory, webhookUrl: sink.url, smtpPort: 1, sections })
  await using running = target.running
  await udpOpen(target.udpPort)
  await running.waitForLine(/HISTORY: The last results of/, 60_000)
  const unknownIds = await site.addTasks(count)

  async function fail(taskIds: readonly string[]): Promise<MassFailure> {
    sink.requests.length = 0
    const before = await site.repositoryRequests()
    const started = performance.now()
    const { executionIds } = await site.burst(target.udpPort, count, taskIds)
    await until(() => sink.requests.length >= count, { timeout: 120_000, what: 'all alerts' })
    const ms = performance.now() - started
    const seen = new Set(sink.requests.map(({ body }) => (JSON.parse(body) as { executionId: string }).executionId))
    const alerts = executionIds.filter((id) => seen.has(id)).length
    return { alerts, ms, requests: (await site.repositoryRequests()) - before }
  }

  return { known: await fail(knownIds), unknown: await fail(unknownIds) }
}
