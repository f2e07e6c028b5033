/** Begins of executions on the stream: from the watchdog, or asked for while the topic is followed. */
import { afterEach, expect, test } from 'bun:test'
import { createExecutionTopic } from '../../../src/app/execution-topic.ts'
import type { RunningTask } from '../../../src/tasks/safety-net/site.ts'
import { executionResult } from '../../support/fake-qrs.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const SINCE = Date.parse('2026-11-23T01:14:00Z')
const task = (n: number, state: RunningTask['state'] = 'running'): RunningTask => ({
  type: 'reload',
  state,
  taskId: `task-${n}`,
  taskName: `Task ${n}`,
  since: SINCE,
  resultId: `result-${n}`,
})

async function scene(options: { fails?: boolean; pollMs?: number } = {}) {
  const published: Record<string, unknown>[] = []
  let tasks: RunningTask[] = []
  let asked = 0
  let follow: (isFollowed: boolean) => void = () => {}
  const topic = createExecutionTopic(
    {
      log: recordingLog(),
      feed: {
        publish: (_topic, data) => void published.push(data),
        onFollowed(_topic, listener) {
          follow = listener
        },
      },
      async runningTasks() {
        asked += 1
        return tasks
      },
      qrs: {
        async resultsById(ids) {
          if (options.fails) throw new Error('QRS is down')
          return ids.map((id) => executionResult({ id, executionID: id.replace('result', 'E') }))
        },
      },
    },
    { pollMs: options.pollMs ?? 20 },
  )
  await topic.services![0]!.start()
  stops.push(() => topic.services![0]!.stop(100))
  return {
    published,
    asked: () => asked,
    follow: (isFollowed: boolean) => follow(isFollowed),
    see: (...now: RunningTask[]) => topic.observers!.liveTasks!(now),
    runs(...now: RunningTask[]) {
      tasks = now
    },
  }
}

test('the watchdog finds new ones; those of its first look are no news', async () => {
  const { see, published } = await scene()
  see(task(1))
  see(task(1), task(2, 'queued'))
  see(task(2))
  await until(() => published.length === 2)
  const at = '2026-11-23T01:14:00.000Z'
  const second = { executionId: 'e-2', taskId: 'task-2', taskName: 'Task 2', outcome: null, stoppedAt: null }
  expect(published).toEqual([
    { ...second, state: 'queued', triggeredAt: at, startedAt: null },
    { ...second, state: 'running', triggeredAt: null, startedAt: at },
  ])
})

test('while the topic is followed, Qlik Sense is asked again and again; otherwise never', async () => {
  const { follow, runs, asked, published } = await scene()
  expect(asked()).toBe(0)
  follow(true)
  await until(() => asked() >= 2)
  runs(task(7))
  await until(() => published.length === 1)
  follow(false)
  await until(async () => {
    const before = asked()
    await new Promise((resolve) => setTimeout(resolve, 60))
    return asked() === before
  })
  expect(published).toMatchObject([{ taskId: 'task-7', state: 'running' }])
})

test('without an answer about the results the id of the execution is not known', async () => {
  const { see, published } = await scene({ fails: true })
  see()
  see(task(3))
  await until(() => published.length === 1)
  expect(published).toMatchObject([{ taskId: 'task-3', executionId: null }])
})
