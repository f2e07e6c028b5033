/** Executions of tasks as points in InfluxDB. */
import type { TaskEvent } from '../../../events/types.ts'
import type { InfluxServer, WritableLine } from '../../../metrics/influxdb/types.ts'
import type { TimeFormatter } from '../../times.ts'
import type { Destination, Message, RenderInput } from '../../types.ts'
import { gathered } from '../gather.ts'
import { taskPoint } from './point.ts'
import { type InfluxRulesConfig, influxSections } from './sections.ts'

export { influxRules } from './routes.ts'
export type { InfluxRulesConfig } from './sections.ts'

export interface InfluxDestinationDeps {
  readonly server: InfluxServer
  readonly times: TimeFormatter
  /** Events of the same task and outcome that arrived in the same millisecond, before this one. */
  readonly earlierTwins: (event: TaskEvent) => number
}

/** Making a point reads the whole script log of its event: more at a time cost memory and hold up everything else. */
const BATCH_SIZE = 25
const NANOSECONDS = 1_000_000n

export function createInfluxDestination(deps: InfluxDestinationDeps, config: InfluxRulesConfig): Destination {
  const { server, times, earlierTwins } = deps
  const sections = new Map(influxSections(config).map((section) => [section.routeName, section]))

  async function render({ event, route, target, deliveryId }: RenderInput): Promise<Message> {
    const section = sections.get(route.name)
    if (!section) throw new Error(`${route.name} is no longer in the configuration`)
    // The same for every attempt: a point that is written twice is one point.
    const at = BigInt(event.receivedAt) * NANOSECONDS + BigInt(earlierTwins(event))
    const line = server.lineOf(taskPoint(event, section, times), at)
    if (line === null) throw new Error('the point has no fields')
    const payload: WritableLine = { line, bare: () => server.lineOf(taskPoint(event, section, times, false), at) }
    return { deliveryId, target, subject: null, body: line, payload }
  }

  return gathered({
    name: 'influxdb',
    type: 'influxdb',
    batchSize: BATCH_SIZE,
    render,
    deliver: (batch, signal) =>
      server.write(
        batch.map(({ payload }) => payload as WritableLine),
        signal,
      ),
  })
}
