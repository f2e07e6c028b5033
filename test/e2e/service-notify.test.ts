/** What the executable tells the service manager that started it. */
import { describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { footman } from '../support/footman.ts'
import { canReceive, notifyReceiver } from '../support/notify-socket.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const TIMEOUT = 60_000

describe.skipIf(!canReceive)('a service manager', () => {
  test(
    'hears of start, reload, life and stop',
    async () => {
      await using directory = tempDirectory()
      using receiver = notifyReceiver(directory.join('notify.sock'))
      await using it = await footman({
        simulator: null,
        args: ['--no-qs-connection'],
        env: { NOTIFY_SOCKET: receiver.address, WATCHDOG_USEC: '600000' },
      })
      await it.start()
      await receiver.waitFor(/^READY=1$/)
      expect(receiver.received.slice(0, 4)).toEqual([
        'STATUS=Starting',
        'EXTEND_TIMEOUT_USEC=900000000',
        'READY=1',
        `STATUS=Running: REST API on 127.0.0.1:${it.restPort}, UDP on 127.0.0.1:${it.udpPort}`,
      ])
      // Ready means ready.
      expect((await it.call('GET', '/v4/butlerping')).status).toBe(200)

      await until(() => receiver.received.filter((told) => told === 'WATCHDOG=1').length >= 3, { timeout: 20_000 })

      const config = JSON.parse(readFileSync(it.configFile, 'utf8'))
      config.Butler.logLevel = 'debug'
      writeFileSync(it.configFile, JSON.stringify(config))
      it.process.signal('SIGHUP')
      await receiver.waitFor(/^MONOTONIC_USEC=\d{6,}$/)
      await until(() => receiver.received.filter((told) => told === 'READY=1').length === 2, { timeout: 20_000 })
      const reload = receiver.received.indexOf('RELOADING=1')
      expect(receiver.received.indexOf('READY=1', reload)).toBeGreaterThan(reload)

      expect(await it.process.stop()).toBe(0)
      await receiver.waitFor(/^STOPPING=1$/)
      expect(receiver.received).toContain('EXTEND_TIMEOUT_USEC=20000000')
    },
    TIMEOUT,
  )

  test(
    'on an abstract socket hears it as well; one that watches another process gets no sign of life',
    async () => {
      using receiver = notifyReceiver(`@footman-e2e-${process.pid}`)
      await using it = await footman({
        simulator: null,
        args: ['--no-qs-connection'],
        env: { NOTIFY_SOCKET: receiver.address, WATCHDOG_USEC: '600000', WATCHDOG_PID: '1' },
      })
      await it.start()
      await receiver.waitFor(/^READY=1$/)
      expect(await it.process.stop()).toBe(0)
      await receiver.waitFor(/^STOPPING=1$/)
      expect(receiver.received).not.toContain('WATCHDOG=1')
    },
    TIMEOUT,
  )

  test(
    'that has gone is no reason to end',
    async () => {
      await using it = await footman({
        simulator: null,
        args: ['--no-qs-connection'],
        env: { NOTIFY_SOCKET: '/nowhere/notify.sock', WATCHDOG_USEC: '600000' },
      })
      await it.start()
      await it.process.waitForLine(/warn: MAIN: The service manager cannot be notified/)
      expect((await it.call('GET', '/v4/butlerping')).status).toBe(200)
      expect(await it.process.stop()).toBe(0)
    },
    TIMEOUT,
  )
})
