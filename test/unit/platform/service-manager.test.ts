import { describe, expect, test } from 'bun:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CommandError, type CommandResult } from '../../../src/platform/command.ts'
import { createServiceManager, serviceManager } from '../../../src/platform/service-manager.ts'
import { createNotifier, openNotifySocket } from '../../../src/platform/service-notifier.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

function manager(watchdogMs: number | null = null) {
  const sent: string[][] = []
  const log = recordingLog()
  const notifier = {
    send: (...assignments: readonly string[]) => void sent.push([...assignments]),
    monotonicMicroseconds: () => 1_234_567n,
    close: async () => {},
  }
  return { sent, log, manager: createServiceManager({ log, notifier }, { watchdogMs }) }
}

describe('the life of the process', () => {
  test('is told in the words of sd_notify(3)', async () => {
    const { sent, manager: it } = manager()
    it.starting()
    it.ready('Running: REST API on\nlocalhost:8080')
    await it.reloading(async () => void sent.push(['the work']))
    it.stopping(10_000)
    await it.close()
    expect(sent).toEqual([
      ['STATUS=Starting', 'EXTEND_TIMEOUT_USEC=900000000'],
      ['READY=1', 'STATUS=Running: REST API on localhost:8080'],
      ['RELOADING=1', 'MONOTONIC_USEC=1234567'],
      ['the work'],
      ['READY=1'],
      ['STOPPING=1', 'STATUS=Stopping: handing back what is not finished', 'EXTEND_TIMEOUT_USEC=20000000'],
    ])
  })

  test('a reload that fails is over as well', async () => {
    const { sent, manager: it } = manager()
    expect(it.reloading(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await until(() => sent.length === 2)
    expect(sent.at(-1)).toEqual(['READY=1'])
  })
})

describe('the watchdog', () => {
  const signs = (sent: readonly string[][]) => sent.filter(([first]) => first === 'WATCHDOG=1').length

  test('hears of a process that answers, until it is closed', async () => {
    const { sent, manager: it } = manager(60)
    it.watch(async () => true)
    expect(signs(sent)).toBe(1)
    await until(() => signs(sent) >= 3)
    await it.close()
  })

  test('hears nothing while a thread does not answer, and again when it does', async () => {
    const { sent, log, manager: it } = manager(60)
    let alive = false
    let asked = 0
    it.watch(() => {
      asked++
      return alive ? Promise.resolve(true) : new Promise(() => {})
    })
    await until(() => asked >= 3)
    expect(signs(sent)).toBe(1)
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    alive = true
    await until(() => signs(sent) >= 2)
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', message: 'MAIN: The ingest worker answers again' })
    await it.close()
  })

  test('a question that fails is no answer', async () => {
    const { sent, log, manager: it } = manager(60)
    it.watch(() => Promise.reject(new Error('ended')))
    await until(() => log.lines.length > 0)
    expect(signs(sent)).toBe(1)
    await it.close()
  })

  test('is kept quiet while threads are being ended', async () => {
    const { sent, manager: it } = manager(60)
    it.watch(() => new Promise(() => {}))
    it.stopping(1000)
    await until(() => signs(sent) >= 2)
    await it.close()
  })

  test('that is not there is told nothing', () => {
    const { sent, manager: it } = manager(null)
    it.watch(async () => true)
    expect(sent).toEqual([])
  })
})

describe('without the socket', () => {
  const answer: CommandResult = { code: 0, stdout: '', stderr: '' }

  test('systemd-notify is called, one message after the other', async () => {
    const calls: string[][] = []
    const run = async (file: string, args: readonly string[]) => {
      // The first call takes longer than the second.
      for (let turns = calls.length === 0 ? 5 : 0; turns > 0; turns -= 1) await nextTurn()
      calls.push([file, ...args])
      return answer
    }
    const notifier = await createNotifier({ log: recordingLog(), open: async () => null, run }, '/run/notify')
    notifier.send('READY=1', 'STATUS=Running')
    notifier.send('STOPPING=1')
    expect(notifier.monotonicMicroseconds()).toBeNull()
    await notifier.close()
    expect(calls).toEqual([
      ['systemd-notify', 'READY=1', 'STATUS=Running'],
      ['systemd-notify', 'STOPPING=1'],
    ])
  })

  test('and without that command one line in the log says so', async () => {
    const log = recordingLog()
    const run = () => Promise.reject(new CommandError('systemd-notify cannot be started: ENOENT', 'notFound'))
    const notifier = await createNotifier({ log, open: async () => null, run }, '/run/notify')
    notifier.send('READY=1')
    notifier.send('STOPPING=1')
    await notifier.close()
    expect(log.lines).toEqual([
      {
        level: 'warn',
        message:
          'MAIN: The service manager cannot be notified (NOTIFY_SOCKET=/run/notify): systemd-notify cannot be started: ENOENT',
      },
    ])
  })

  test.each(['vsock:2:1234', 'relative', '', `/${'x'.repeat(200)}`])('%p is no address', async (address) => {
    expect(await openNotifySocket(address)).toBeNull()
  })
})

test('nobody is told anything when nobody asks', async () => {
  const log = recordingLog()
  const nobody = await serviceManager({ log }, {})
  nobody.starting()
  nobody.ready('Running')
  nobody.watch(() => Promise.reject(new Error('never asked')))
  nobody.stopping(1)
  let worked = false
  await nobody.reloading(async () => {
    worked = true
  })
  await nobody.close()
  expect(worked).toBe(true)
  expect(log.lines).toEqual([])
})
