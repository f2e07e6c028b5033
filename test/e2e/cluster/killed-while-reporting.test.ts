/** A leader that is killed between storing the run of a report and sending it, or between sending and storing that. */
import { beforeAll, describe, expect, test } from 'bun:test'
import {
  broker,
  client,
  cluster,
  killLeaders,
  mailbox,
  site,
  stored,
  takenOver,
  wayToBroker,
} from '../../support/cluster/killed-leader.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { SALES_APP } from '../../support/report-tasks.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'postgres')

const REPORT_TOPIC = 'acme/report'
const TIMEOUT = 60_000

killLeaders()

describe('a message that triggers a report', () => {
  const created = async (path: string, body: object): Promise<string> => {
    const answer = await cluster.nodes[0]!.call('POST', path, body)
    expect([path, answer.status, answer.ok ? '' : await answer.text()]).toEqual([path, 201, ''])
    return ((await answer.json()) as { id: string }).id
  }
  beforeAll(async () => {
    const columns = [
      { label: 'Region', expr: 'Region', kind: 'dimension' },
      { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
    ]
    const blocks = [{ key: 'table', type: 'table', columns }]
    const reportId = await created('/v4/report', { project: 'Sales', name: 'Regions', appId: SALES_APP, blocks })
    await created('/v4/reporttask', {
      project: 'Sales',
      name: 'Regions',
      enabled: true,
      reports: [{ key: 'pack', reportId, format: 'csv', block: 'table' }],
      recipients: [{ type: 'address', address: 'reader@acme.example' }],
      email: { enabled: true, subject: 'Regions' },
      triggers: [{ type: 'mqtt', topic: REPORT_TOPIC }],
    })
    await until(() => broker.log().includes(`\t${REPORT_TOPIC} (QoS 1)`), { what: 'the subscription' })
  }, TIMEOUT)

  const runs = (node: ClusterNode) =>
    node.rows<{ state: string; reason: string | null }>('SELECT state, reason FROM report_run ORDER BY id')
  async function publish(): Promise<readonly [leader: ClusterNode, before: number]> {
    mailbox.mails.length = 0
    const leader = await cluster.untilLed()
    const before = runs(leader).length
    await client.publishAsync(REPORT_TOPIC, 'now', { qos: 1 })
    return [leader, before]
  }
  const ended = (node: ClusterNode, count: number) =>
    until(() => runs(node).length >= count && runs(node).every(({ state }) => state === 'finished') && runs(node), {
      what: 'the runs to have ended',
      state: () => runs(node),
    })

  test(
    'is carried out by the next leader, when its run was stored',
    async () => {
      site.simulator.fault({ listener: 'engine', mode: 'engine-stall', args: ['GetHyperCubeData'] })
      const [leader, before] = await publish()
      await until(async () => (await stored('report_run')) > before, { what: 'the run in the database' })
      const next = await takenOver(leader)
      expect(await ended(next, before + 1)).toHaveLength(before + 1)
      expect(mailbox.mails).toHaveLength(1)
    },
    TIMEOUT,
  )

  test(
    'sends no second mail, when the mail server had the first and nobody had stored that',
    async () => {
      mailbox.answer({ silent: true })
      const [leader, before] = await publish()
      await mailbox.received(1)
      await leader.kill()
      mailbox.answer({})
      const next = await takenOver(leader)
      const all = await ended(next, before + 1)
      expect(all.slice(before)).toEqual([{ state: 'finished', reason: 'MAIL_UNKNOWN' }])
      expect(mailbox.mails).toHaveLength(1)
    },
    TIMEOUT,
  )

  test(
    'starts one run, when the broker delivers it again because its acknowledgement was lost',
    async () => {
      const deliveries = (packet: 'd0' | 'd1') =>
        broker
          .log()
          .split('\n')
          .filter((line) => line.includes(`PUBLISH to footman (${packet}`) && line.includes(REPORT_TOPIC))
      const delivered = deliveries('d0').length
      // Nothing can be stored, and so nothing acknowledged, before the way to the broker is gone.
      ;(await cluster.untilLed()).silence()
      const [leader, before] = await publish()
      await until(() => deliveries('d0').length > delivered)
      await until(() => leader.lines.some((line) => line.includes(`Message received. Topic: ${REPORT_TOPIC}`)))
      wayToBroker.silence()
      await leader.heal()
      await until(async () => (await stored('report_run')) > before, { what: 'the run in the database' })
      await leader.kill()
      await wayToBroker.cut()
      await wayToBroker.heal()
      const next = await takenOver(leader)
      await until(() => deliveries('d1').length > 0, { what: 'the message to be delivered again' })
      expect(await ended(next, before + 1)).toHaveLength(before + 1)
      expect(mailbox.mails).toHaveLength(1)
    },
    TIMEOUT,
  )
})
