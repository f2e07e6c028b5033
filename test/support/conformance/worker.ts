import assert from 'node:assert/strict'
import { spawnWorker, type WorkerEnd, type WorkerHandle, type WorkerRole } from '../../../src/platform/worker.ts'
import { type Case, signal } from './suite.ts'

type ToTest = { started: unknown } | { echo: unknown } | { number: number }
type FromTest = 'count' | 'throw' | 'reject' | 'exit' | { say: unknown }

/** The roles of the suite's threads. */
export function runTestRole(role: WorkerRole): void {
  if (role.name === 'broken') throw new Error('broken at start')
  const channel = role.channel<ToTest, FromTest>()
  channel.onMessage((message) => {
    if (message === 'throw') throw new Error('thrown in the thread')
    if (message === 'reject') void Promise.reject(new Error('rejected in the thread'))
    else if (message === 'exit') process.exit(3)
    else if (message === 'count') {
      for (let number = 0; number < 1000; number += 1) channel.post({ number })
      channel.end()
    } else channel.post({ echo: message.say })
  })
  channel.post({ started: role.data })
}

interface Thread {
  readonly handle: WorkerHandle<FromTest>
  readonly messages: ToTest[]
  readonly started: Promise<void>
  readonly ended: Promise<WorkerEnd>
  next(): Promise<void>
}

function start(name = 'test', data: unknown = null): Thread {
  const messages: ToTest[] = []
  const started = signal()
  const ended = signal<WorkerEnd>()
  let arrived = signal()
  const handle = spawnWorker<FromTest, ToTest>(name, data, {
    onMessage(message) {
      messages.push(message)
      started.resolve()
      arrived.resolve()
      arrived = signal()
    },
    onEnd: ended.resolve,
  })
  return { handle, messages, started: started.promise, ended: ended.promise, next: () => arrived.promise }
}

async function endAfter(order: FromTest): Promise<WorkerEnd> {
  const thread = start()
  await thread.started
  thread.handle.post(order)
  return thread.ended
}

export const workerCases: readonly Case[] = [
  {
    name: 'gets its data and speaks both ways',
    async run() {
      const thread = start('test', { port: 9998, nested: [1, null, 'å'] })
      await thread.started
      const bytes = new Uint8Array([1, 2, 3])
      thread.handle.post({ say: { bytes, at: new Date(0) } })
      await thread.next()
      assert.deepEqual(thread.messages, [
        { started: { port: 9998, nested: [1, null, 'å'] } },
        { echo: { bytes, at: new Date(0) } },
      ])
      await thread.handle.terminate()
    },
  },
  {
    name: 'an end on purpose loses no message and is expected',
    async run() {
      const thread = start()
      await thread.started
      thread.handle.post('count')
      const end = await thread.ended
      assert.deepEqual([end.expected, end.error], [true, undefined])
      const numbers = thread.messages.flatMap((message) => ('number' in message ? [message.number] : []))
      assert.deepEqual([numbers.length, numbers.at(-1)], [1000, 999])
    },
  },
  {
    name: 'terminate is expected',
    async run() {
      const thread = start()
      await thread.started
      await thread.handle.terminate()
      assert.equal((await thread.ended).expected, true)
      thread.handle.post({ say: 'into the void' })
    },
  },
  {
    name: 'what the thread throws is reported, at start and later',
    async run() {
      const atStart = await start('broken').ended
      assert.deepEqual([atStart.expected, atStart.error?.message], [false, 'broken at start'])
      const thrown = await endAfter('throw')
      assert.deepEqual([thrown.expected, thrown.error?.message], [false, 'thrown in the thread'])
      const rejected = await endAfter('reject')
      assert.deepEqual([rejected.expected, rejected.error?.message], [false, 'rejected in the thread'])
    },
  },
  {
    name: 'an exit of the thread is reported and leaves the process alive',
    async run() {
      const end = await endAfter('exit')
      assert.deepEqual([end.expected, end.code], [false, 3])
    },
  },
]
