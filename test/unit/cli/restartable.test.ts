import { expect, test } from 'bun:test'
import type { App } from '../../../src/app/app.ts'
import { createRestartable, type Restart } from '../../../src/cli/restartable.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

/** Apps that write down what is done with them; `start` of the n-th one may be given. */
function world(starts: Readonly<Record<number, (restart: Restart) => Promise<void>>> = {}) {
  const done: string[] = []
  const failures: unknown[] = []
  const handovers: string[] = []
  let built = 0
  let restart: Restart = () => {}
  const app = createRestartable(
    {
      log: recordingLog(),
      build(again) {
        built += 1
        const n = built
        restart = again
        const start = async () => {
          done.push(`start ${n}`)
          await starts[n]?.(again)
        }
        return { start, stop: async () => void done.push(`stop ${n}`), isAlive: async () => true } as unknown as App
      },
      handover: { begin: () => void handovers.push('begin'), end: async () => void handovers.push('end') },
      onFailed: (error) => void failures.push(error),
    },
    { graceMs: 10 },
  )
  return { app, done, failures, handovers, restart: () => restart('it must') }
}

test('starts anew when that is asked for, each time once', async () => {
  const { app, done, restart } = world()
  await app.start()
  restart()
  restart()
  await until(() => done.length === 3)
  restart()
  await until(() => done.length === 5)
  await app.stop(10)
  expect(done).toEqual(['start 1', 'stop 1', 'start 2', 'stop 2', 'start 3', 'stop 3'])
})

test('asked for before or during the first start: what was built is not used', async () => {
  const early = world()
  early.restart()
  await early.app.start()
  expect(early.done).toEqual(['start 2'])

  const failing = world({
    async 1(restart) {
      restart('it must')
      throw new Error('the database is another one')
    },
  })
  await failing.app.start()
  expect(failing.done).toEqual(['start 1', 'start 2'])
})

test('one that cannot be started again is told', async () => {
  const { app, failures, handovers, restart } = world({ 2: () => Promise.reject(new Error('port taken')) })
  await app.start()
  restart()
  await until(() => failures.length === 1)
  expect(String(failures[0])).toContain('port taken')
  expect(handovers).toEqual(['begin', 'end'])
})

test('nothing starts anew once it is to stop', async () => {
  const { app, done, restart } = world()
  await app.start()
  restart()
  await app.stop(10)
  await new Promise((resolve) => setImmediate(resolve))
  expect(done).not.toContain('start 2')
})
