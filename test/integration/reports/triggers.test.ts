/** Triggers of report tasks by events of a simulated site, by MQTT, key-value pairs and other report tasks. */
import { afterEach, describe, expect, test } from 'bun:test'
import type { TaskEvent } from '../../../src/events/types.ts'
import type { Change } from '../../../src/kv/types.ts'
import type { IncomingMessage, MessageHandler } from '../../../src/mqtt/types.ts'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import type { RunRecord } from '../../../src/reports/runs/ledger.ts'
import type { Triggers } from '../../../src/reports/triggers/index.ts'
import { createEndedReader } from '../../../src/tasks/executions/history.ts'
import { taskEvent } from '../../support/events.ts'
import { testStore } from '../../support/key-values.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { REPORT_TASK, storedTask, type TriggerScene, triggerScene } from '../../support/report-triggers.ts'
import { setTaskProperty } from '../../support/safety-net.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

const LOAD = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
const SLOW = '70000000-0000-4000-8000-000000000007'

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function siteOf() {
  const site: TestSite = await startSite()
  const { pem } = site.simulator.certificates
  const log = recordingLog()
  const qrs = createQrsClient(
    { log },
    {
      host: '127.0.0.1',
      port: site.simulator.ports.qrs,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }],
      certificates: { ca: pem.ca.pem, cert: pem.client.cert.pem, key: pem.client.key.pem },
    },
  )
  opened.push(() => site[Symbol.asyncDispose](), qrs.close)
  const { simulator } = site
  async function run(task: string, outcome: 'success' | 'fail' = 'success'): Promise<string> {
    simulator.setTask(task, { durationMs: 20, outcome })
    const ended = simulator.ended(task)
    const id = simulator.runTask(task)
    await ended
    return id
  }
  return { simulator, run, qlik: { qrs, ended: createEndedReader({ qrs, log }) } }
}

const PUSHED = { pollMs: 0, retryMs: [20, 20] }
const FAST_POLL = { pollMs: 50, firstPollMs: 10, retryMs: [20, 20] }

async function started(scene: Omit<TriggerScene, 'clock'> & { readonly clock?: TriggerScene['clock'] }) {
  const made = triggerScene({ clock: { now: () => Date.now() }, ...scene })
  await made.triggers.start()
  opened.push(() => made.triggers.stop(1000))
  return made
}

/** The message of the scheduler about the end of an execution, in a transaction as the pipeline has it. */
function push(
  { db }: ReturnType<typeof triggerScene>,
  triggers: Triggers,
  taskId: string,
  executionId: string,
  changes: Partial<TaskEvent> = {},
) {
  db.transaction(() => triggers.observers.event(taskEvent({ taskId, executionId, outcome: 'success', ...changes })))
}

const qlikEvent = (changes: object = {}) => ({
  type: 'qlikEvent',
  event: 'taskSucceeded',
  match: { taskId: [LOAD] },
  ...changes,
})

describe('the end of a Qlik task', () => {
  test('that is pushed twice and found by polling starts one run', async () => {
    const { run, qlik } = await siteOf()
    const scene = await started({ tasks: [storedTask([qlikEvent()])], deps: { qlik }, settings: FAST_POLL })
    const id = await run(LOAD)
    push(scene, scene.triggers, LOAD, id)
    push(scene, scene.triggers, LOAD, id.toUpperCase())
    await until(() => scene.keys().length > 0)
    await scene.triggers.stop(1000)
    // A second Footman process finds the same execution again.
    const again = scene.build()
    await again.start()
    push(scene, again, LOAD, id)
    await until(() => scene.db.get<{ n: number }>('SELECT count(*) AS n FROM report_trigger_event')!.n === 0)
    await again.stop(1000)
    expect(scene.keys()).toEqual([id])
    expect(scene.runs()[0]!.trigger).toMatchObject({
      type: 'qlikEvent',
      detail: { event: 'taskSucceeded', taskId: LOAD, executionId: id },
    })
  }, 90_000)

  test('whose message was lost is found by polling, also after a restart', async () => {
    const { run, qlik } = await siteOf()
    const scene = await started({ tasks: [storedTask([qlikEvent()])], deps: { qlik }, settings: FAST_POLL })
    const first = await run(LOAD)
    await until(() => scene.keys().length === 1)
    await scene.triggers.stop(1000)
    const second = await run(LOAD)
    const again = scene.build()
    opened.push(() => again.stop(1000))
    await again.start()
    await until(() => scene.keys().length === 2)
    expect(scene.keys()).toEqual([first, second])
  }, 90_000)

  test('is handled with pushed messages alone', async () => {
    const { run, qlik } = await siteOf()
    const scene = await started({ tasks: [storedTask([qlikEvent()])], deps: { qlik }, settings: PUSHED })
    const id = await run(LOAD)
    push(scene, scene.triggers, LOAD, id)
    await until(() => scene.keys().length === 1)
    expect(scene.keys()).toEqual([id])
  }, 90_000)

  test('that a forged message claims starts nothing', async () => {
    const { run, qlik } = await siteOf()
    const tasks = [storedTask([qlikEvent()])]
    const scene = await started({ tasks, deps: { qlik }, settings: PUSHED })
    const failed = await run(LOAD, 'fail')
    push(scene, scene.triggers, LOAD, failed)
    push(scene, scene.triggers, LOAD, 'e5000000-0000-4000-8000-00000000beef')
    // The end of another task in the name of this one.
    push(scene, scene.triggers, LOAD, await run(SLOW))
    await until(() => scene.db.get<{ n: number }>('SELECT count(*) AS n FROM report_trigger_event')!.n === 0)
    expect(scene.runs()).toEqual([])
  }, 90_000)

  test.each<[string, object, string[]]>([
    ['by tag', { tag: ['hourly-reload'] }, []],
    ['by custom property', { customProperty: [{ name: 'ReportsAfter', value: 'sales' }] }, ['LOAD']],
    ['by another value of it', { customProperty: [{ name: 'ReportsAfter', value: 'finance' }] }, []],
    ['by nothing', {}, []],
  ])(
    'matches %s as the task is at that time',
    async (_, match, expected) => {
      const { simulator, run, qlik } = await siteOf()
      setTaskProperty(simulator, LOAD, 'ReportsAfter', 'sales')
      simulator.site.tasks.get(LOAD)!.tags.splice(0)
      const scene = await started({
        tasks: [storedTask([qlikEvent({ match }), qlikEvent({ match: { taskId: [SLOW] } })])],
        deps: { qlik },
        settings: FAST_POLL,
      })
      const id = await run(LOAD)
      const last = await run(SLOW)
      await until(() => scene.keys().includes(last))
      expect(scene.keys().filter((key) => key === id)).toHaveLength(expected.length)
    },
    30_000,
  )

  test('starts nothing for a disabled task, which leaves one skipped row', async () => {
    const { run, qlik } = await siteOf()
    const scene = await started({
      tasks: [storedTask([qlikEvent()], { enabled: false })],
      deps: { qlik },
      settings: FAST_POLL,
    })
    await run(LOAD)
    await until(() => scene.runs().length === 1)
    await run(LOAD)
    await until(() => scene.runs()[0]!.repeats === 2)
    expect(scene.runs().map(({ outcome, reason }) => [outcome, reason])).toEqual([['skipped', 'TASK_DISABLED']])
  }, 90_000)

  test('before the trigger was made, or outside its window, starts nothing', async () => {
    const { run, qlik } = await siteOf()
    const scene = await started({ tasks: [], deps: { qlik }, settings: FAST_POLL })
    const id = await run(LOAD)
    const [ended] = await qlik.ended.ofExecutions([id])
    await until(() => Date.now() > ended!.execution.stoppedAt)
    const other = qlikEvent({ match: { taskId: [SLOW] } })
    scene.change(storedTask([qlikEvent(), qlikEvent({ end: '2020-01-01T00:00:00Z' }), other]))
    push(scene, scene.triggers, LOAD, id)
    const last = await run(SLOW)
    await until(() => scene.keys().includes(last))
    expect(scene.keys()).toEqual([last])
  }, 90_000)

  test('is not lost while QRS is down, although the message came then', async () => {
    const { simulator, run, qlik } = await siteOf()
    const scene = await started({
      tasks: [storedTask([qlikEvent()])],
      deps: { qlik },
      settings: { ...PUSHED, downMs: 50 },
    })
    const id = await run(LOAD)
    simulator.fault({ listener: 'qrs', mode: 'refuse' })
    push(scene, scene.triggers, LOAD, id)
    await until(() => scene.log.of('warn').some((line) => line.includes('cannot be asked')))
    // The message outlives the process, and one that comes while Footman stops is kept.
    await scene.triggers.stop(1000)
    simulator.clearFaults()
    const late = await run(LOAD)
    push(scene, scene.triggers, LOAD, late)
    const again = scene.build()
    opened.push(() => again.stop(1000))
    await again.start()
    await until(() => scene.keys().length === 2)
    expect(scene.keys()).toEqual([id, late])
  }, 60_000)

  test('that is pushed does not wait for a poll that QRS leaves hanging', async () => {
    const { simulator, run, qlik } = await siteOf()
    simulator.fault({ listener: 'qrs', match: '/executionresult', mode: 'hang', times: 1 })
    simulator.clearRequests()
    const scene = await started({ tasks: [storedTask([qlikEvent()])], deps: { qlik }, settings: FAST_POLL })
    await until(() => simulator.requests({ listener: 'qrs' }).length > 0)
    const id = await run(LOAD)
    expect(scene.keys()).toEqual([])
    push(scene, scene.triggers, LOAD, id)
    await until(() => scene.keys().length === 1)
    expect(scene.keys()).toEqual([id])
  }, 90_000)
})

describe('mode all', () => {
  const both = qlikEvent({ mode: 'all', match: { taskId: [LOAD, SLOW] } })

  test('fires when each task has succeeded since the last time, over a restart', async () => {
    const { run, qlik } = await siteOf()
    const scene = await started({ tasks: [storedTask([both])], deps: { qlik }, settings: FAST_POLL })
    await run(LOAD)
    await until(() => scene.db.get('SELECT 1 FROM report_trigger_joined'))
    await scene.triggers.stop(1000)
    expect(scene.runs()).toEqual([])
    const again = scene.build()
    opened.push(() => again.stop(1000))
    await again.start()
    const completing = await run(SLOW)
    await until(() => scene.keys().length === 1)
    expect(scene.keys()).toEqual([completing])
    // Alone it is not enough again.
    await run(SLOW)
    await until(() => scene.db.get('SELECT 1 FROM report_trigger_joined WHERE used = 0'))
    const second = await run(LOAD)
    await until(() => scene.keys().length === 2)
    expect(scene.keys()).toEqual([completing, second])
  }, 90_000)

  test('with a tag waits for the tasks that have it now', async () => {
    const { simulator, run, qlik } = await siteOf()
    setTaskProperty(simulator, LOAD, 'ReportsAfter', 'sales')
    setTaskProperty(simulator, SLOW, 'ReportsAfter', 'sales')
    const match = { customProperty: [{ name: 'ReportsAfter', value: 'sales' }] }
    const scene = await started({
      tasks: [storedTask([qlikEvent({ mode: 'all', match })])],
      deps: { qlik },
      settings: FAST_POLL,
    })
    await run(LOAD)
    await until(() => scene.db.get('SELECT 1 FROM report_trigger_joined'))
    expect(scene.runs()).toEqual([])
    setTaskProperty(simulator, SLOW, 'ReportsAfter', null)
    const id = await run(LOAD)
    await until(() => scene.keys().length === 1)
    expect(scene.keys()).toEqual([id])
  }, 90_000)
})

test('mode all does not wait for a task that was deleted, and names it once', async () => {
  const { simulator, run, qlik } = await siteOf()
  const trigger = qlikEvent({ name: 'Both', mode: 'all', match: { taskId: [LOAD, SLOW] } })
  const scene = await started({ tasks: [storedTask([trigger])], deps: { qlik }, settings: FAST_POLL })
  simulator.site.tasks.delete(SLOW)
  const first = await run(LOAD)
  await until(() => scene.keys().length === 1)
  const second = await run(LOAD)
  await until(() => scene.keys().length === 2)
  expect(scene.keys()).toEqual([first, second])
  expect(scene.log.of('warn')).toEqual([
    `REPORTTASK: trigger "Both" of task="Weekly sales pack" does not wait for the Qlik task ${SLOW}, which does not exist: remove it from the trigger`,
  ])
}, 90_000)

test('mode all does not wait for an app that was deleted', async () => {
  const { simulator, qlik } = await siteOf()
  const [app] = simulator.site.apps.values()
  const match = { appId: [app!.id, REPORT_TASK] }
  const trigger = { type: 'qlikEvent', event: 'appReloaded', mode: 'all', match }
  const scene = await started({ tasks: [storedTask([trigger])], deps: { qlik }, settings: FAST_POLL })
  await until(() => scene.db.get('SELECT 1 FROM report_trigger_app'))
  app!.lastReloadTime = Date.now() + 1000
  await until(() => scene.keys().length === 1)
  expect(scene.log.of('warn')).toMatchObject([
    expect.stringContaining(`the Qlik app ${REPORT_TASK}, which does not exist`),
  ])
}, 90_000)

test('a reload of an app fires when its time increases; the first look only records', async () => {
  const { simulator, qlik } = await siteOf()
  const [app] = simulator.site.apps.values()
  const trigger = { type: 'qlikEvent', event: 'appReloaded', match: { appId: [app!.id] } }
  const scene = await started({ tasks: [storedTask([trigger])], deps: { qlik }, settings: FAST_POLL })
  await until(() => scene.db.get('SELECT 1 FROM report_trigger_app'))
  expect(scene.runs()).toEqual([])
  const at = Date.now() + 1000
  app!.lastReloadTime = at
  await until(() => scene.keys().length === 1)
  expect(scene.keys()).toEqual([`${app!.id} ${new Date(at).toISOString()}`])
}, 90_000)

// --- Footman's own events ---

const finishedRun = (changes: Partial<RunRecord> = {}): RunRecord =>
  ({
    id: '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10',
    taskId: 'a0000000-0000-4000-8000-000000000001',
    taskName: 'First',
    outcome: 'success',
    reason: null,
    finishedAt: Date.now() + 1000,
    options: { test: false, dryRun: false },
    trigger: { type: 'manual' },
    ...changes,
  }) as RunRecord

describe('the end of another report task', () => {
  const chained = { type: 'reportTask', taskId: 'a0000000-0000-4000-8000-000000000001', on: ['success', 'warning'] }

  test.each<[string, Partial<RunRecord>, boolean]>([
    ['with a wanted outcome', {}, true],
    ['with another outcome', { outcome: 'error' }, false],
    ['of another task', { taskId: REPORT_TASK }, false],
    ['that was a test', { options: { ...finishedRun().options, test: true } }, false],
    ['that was a dry run', { options: { ...finishedRun().options, dryRun: true } }, false],
    ['that repeated deliveries', { trigger: { ...finishedRun().trigger, type: 'resend' } }, false],
  ])('%s', async (_, changes, fires) => {
    const scene = await started({ tasks: [storedTask([chained])] })
    scene.triggers.finished(finishedRun(changes))
    scene.triggers.finished(finishedRun(changes))
    await scene.triggers.stop(1000)
    expect(scene.keys()).toEqual(fires ? [finishedRun().id] : [])
  })
})

describe('a message by MQTT', () => {
  const payload = (text: string, changes: Partial<IncomingMessage> = {}): IncomingMessage => ({
    topic: 'erp/closed',
    payload: new TextEncoder().encode(text),
    retain: false,
    qos: 1,
    ...changes,
  })

  async function broker(trigger: object = {}) {
    const handlers: [string, MessageHandler][] = []
    const mqtt = { onMessage: (filter: string, handler: MessageHandler) => void handlers.push([filter, handler]) }
    const scene = await started({
      tasks: [storedTask([{ type: 'mqtt', topic: 'erp/closed', ...trigger }])],
      deps: { mqtt },
    })
    return { scene, handlers, send: (message: IncomingMessage) => handlers[0]![1](message) }
  }

  test.each<[string, object, string, Partial<IncomingMessage>, object | null]>([
    ['any payload', {}, 'done', {}, {}],
    ['a JSON payload without options', {}, '{"period": "2026-02"}', {}, { test: false }],
    ['the payload wanted', { equals: 'done' }, 'done', {}, {}],
    ['another payload', { equals: 'done' }, 'Done', {}, null],
    [
      'options that the trigger allows',
      { allowedOptions: ['dryRun', 'reason'] },
      '{"dryRun": true, "reason": "erp"}',
      {},
      { dryRun: true, reason: 'erp' },
    ],
    ['options', {}, '{"dryRun": true, "reason": "erp"}', {}, null],
    [
      'an option beside one that is allowed',
      { allowedOptions: ['dryRun'] },
      '{"dryRun": true, "reason": "erp"}',
      {},
      null,
    ],
    ['a test address', { allowedOptions: ['test'] }, '{"test": true, "testAddress": "x@evil.example"}', {}, null],
    ['an option with its default value', {}, '{"test": false}', {}, { test: false }],
    ['options that are not valid', {}, '{"dryRun": "yes"}', {}, null],
    ['options beside unknown members', {}, '{"dryRun": true, "dry": 1}', {}, null],
    ['a test without address', { allowedOptions: ['test'] }, '{"test": true}', {}, null],
    ['the id of the task', {}, JSON.stringify({ taskId: [REPORT_TASK.toUpperCase()] }), {}, {}],
    ['the id of another task', {}, '{"taskId": ["a0000000-0000-4000-8000-000000000001"]}', {}, null],
    ['a retained message', {}, 'done', { retain: true }, null],
    ['the end of a run', { topic: 'qliksense/#' }, '{}', { topic: 'qliksense/report_task/finished' }, null],
    ['a topic beside it', { topic: 'qliksense/#' }, '{}', { topic: 'qliksense/report_task/other' }, {}],
  ])('%s', async (_, trigger, text, changes, options) => {
    const { scene, send } = await broker(trigger)
    await send(payload(text, changes))
    expect(scene.runs().map((run) => run.trigger.type)).toEqual(options === null ? [] : ['mqtt'])
    if (options) expect(scene.runs()[0]!.options).toMatchObject(options)
  })

  test('that the broker sends again after a restart starts nothing more', async () => {
    const { scene, send, handlers } = await broker()
    await send(payload('done', { packetId: 7 }))
    await scene.triggers.stop(1000)
    const again = scene.build()
    opened.push(() => again.stop(1000))
    await again.start()
    await handlers.at(-1)![1](payload('done', { packetId: 7, dup: true }))
    expect(scene.keys()).toHaveLength(1)
    await handlers.at(-1)![1](payload('done', { packetId: 8 }))
    expect(scene.keys()).toHaveLength(2)
  })

  test('that could not be stored starts the task when the broker sends it again', async () => {
    const { scene, handlers } = await broker()
    await handlers.at(-1)![1](payload('done', { packetId: 7 }))
    await handlers.at(-1)![1](payload('done', { packetId: 8, dup: true }))
    await handlers.at(-1)![1](payload('done', { packetId: 8, dup: true }))
    expect(scene.keys()).toHaveLength(2)
  })

  test('of a trigger that was added later is subscribed then', async () => {
    const { scene, handlers } = await broker()
    scene.change(storedTask([{ type: 'mqtt', topic: 'erp/opened' }]))
    expect(handlers.map(([filter]) => filter)).toEqual(['erp/closed', 'erp/opened'])
    await handlers[0]![1](payload('done'))
    expect(scene.runs()).toEqual([])
  })
})

test('a key-value pair fires when it is set, not when it goes', async () => {
  let listener: (change: Change) => void = () => {}
  const keyValues = {
    onChange(one: typeof listener) {
      listener = one
      return () => {}
    },
    get: () => undefined,
  }
  const tasks = [storedTask([{ type: 'keyValue', namespace: 'Sales', key: 'ready' }])]
  const scene = await started({ tasks, deps: { keyValues } })
  const change = { event: 'set', namespace: 'Sales', key: 'ready', value: '1', revision: 7 } as const
  listener({ ...change, key: 'other' })
  listener({ ...change, event: 'expire' })
  listener({ ...change, event: 'delete' })
  listener(change)
  await scene.triggers.stop(1000)
  expect(scene.runs().map(({ trigger }) => trigger.detail)).toEqual([{ namespace: 'Sales', key: 'ready', revision: 7 }])
})

test('a key-value pair that was set right before the process was killed fires once after the start', async () => {
  const { store, clock } = testStore()
  const set = (key: string) => store.set({ namespace: 'Sales', key, value: '1', ttl: 0 })
  const pairTrigger = (key: string) => ({ type: 'keyValue', namespace: 'Sales', key })
  await set('before the trigger')
  clock.advance(1000)
  const keys = ['before the trigger', 'killed', 'handled', 'long ago']
  const scene = triggerScene({
    clock,
    tasks: [storedTask(keys.map(pairTrigger), { run: { ...storedTask([]).run, whenBusy: 'queue' } })],
    deps: { keyValues: store },
  })
  await scene.triggers.start()
  await set('handled')
  await until(() => scene.keys().length === 1)
  await scene.triggers.stop(1000)
  const firedKeys = () => scene.runs().map(({ trigger }) => trigger.detail.key)
  // Nothing hears these: the process is gone.
  await set('long ago')
  clock.advance(25 * 3_600_000)
  await set('killed')
  for (let start = 1; start <= 2; start++) {
    const again = scene.build()
    await again.start()
    await until(() => scene.keys().length === 2)
    await again.stop(1000)
    expect(firedKeys()).toEqual(['handled', 'killed'])
  }
})
