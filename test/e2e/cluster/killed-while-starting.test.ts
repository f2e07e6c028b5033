/** A leader that is killed between storing a start request and carrying it out, or between doing and storing that. */
import { describe, expect, test } from 'bun:test'
import {
  answers,
  client,
  cluster,
  killLeaders,
  requests,
  site,
  stored,
  takenOver,
} from '../../support/cluster/killed-leader.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'postgres')

/** Tasks of Acme. */
const TASKS = ['a8b4c123-def4-5678-9abc-def012345678', '70000000-0000-4000-8000-000000000013'] as const
const START = 'qliksense/start_task'
const TIMEOUT = 60_000

killLeaders()

describe('an MQTT start request', () => {
  const OPEN = 'SELECT 1 FROM start_request_queue'
  /** Starts that Qlik Sense was asked for. */
  const starts = (task: string) => requests('POST', `${task}/start`).length

  async function leaderFor(...tasks: readonly string[]): Promise<ClusterNode> {
    const leader = await cluster.untilLed()
    site.simulator.reset()
    site.simulator.clearRequests()
    for (const task of tasks) site.simulator.setTask(task, { durationMs: 30, outcome: 'success' })
    answers.length = 0
    return leader
  }
  async function answer(next: ClusterNode): Promise<object> {
    await until(() => answers.length === 1, { what: 'the answer' })
    await until(() => next.rows(OPEN).length === 0, { what: 'the request to be done' })
    return JSON.parse(answers[0]!) as object
  }

  test(
    'that was stored and not carried out is carried out by the next leader',
    async () => {
      const leader = await leaderFor(TASKS[0])
      site.simulator.fault({ listener: 'qrs', match: '.', mode: 'hang' })
      const before = await stored('start_request')
      await client.publishAsync(START, TASKS[0], { qos: 1 })
      await until(async () => (await stored('start_request')) > before)
      expect(await answer(await takenOver(leader))).toMatchObject({ totalTasksStarted: 1 })
      expect(starts(TASKS[0])).toBe(1)
    },
    TIMEOUT,
  )

  test(
    'whose start Qlik Sense had made and nobody had stored is not carried out again',
    async () => {
      const leader = await leaderFor(...TASKS)
      // Begun, and the answer is on its way for long.
      site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1] })
      await client.publishAsync(START, JSON.stringify({ taskId: TASKS }), { qos: 1 })
      await until(() => TASKS.every((task) => starts(task) === 1))
      expect(await answer(await takenOver(leader))).toMatchObject({ totalTasksStarted: 2 })
      expect(TASKS.map(starts)).toEqual([1, 1])
    },
    TIMEOUT,
  )

  test(
    'that could not be stored any more comes from the broker again',
    async () => {
      const leader = await leaderFor(TASKS[0])
      leader.silence()
      await client.publishAsync(START, TASKS[0], { qos: 1 })
      await until(() => leader.rows(OPEN).length === 1, { what: 'the request on the disk of the leader' })
      expect(await answer(await takenOver(leader))).toMatchObject({ totalTasksStarted: 1 })
      expect(starts(TASKS[0])).toBe(1)
    },
    TIMEOUT,
  )
})
