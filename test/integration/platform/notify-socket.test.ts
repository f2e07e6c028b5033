import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { openNotifySocket } from '../../../src/platform/service-notifier.ts'
import { canReceive, notifyReceiver } from '../../support/notify-socket.ts'
import { tempDirectory } from '../../support/temp.ts'

describe.skipIf(!canReceive)('unix datagrams to the service manager', () => {
  test('reach a path', async () => {
    await using directory = tempDirectory()
    using receiver = notifyReceiver(directory.join('notify.sock'))
    const socket = await openNotifySocket(receiver.address)
    expect(socket?.send('READY=1\nSTATUS=Läuft')).toBe(true)
    await receiver.waitFor(/^STATUS=/)
    expect(receiver.received).toEqual(['READY=1', 'STATUS=Läuft'])
    socket?.close()
  })

  test('reach an abstract name', async () => {
    using receiver = notifyReceiver(`@footman-test-${process.pid}`)
    const socket = await openNotifySocket(receiver.address)
    expect(socket?.send('WATCHDOG=1')).toBe(true)
    expect(await receiver.waitFor(/WATCHDOG/)).toBe('WATCHDOG=1')
    socket?.close()
  })

  test('that nobody receives are told', async () => {
    await using directory = tempDirectory()
    const socket = await openNotifySocket(directory.join('nobody.sock'))
    expect(socket?.send('READY=1')).toBe(false)
    socket?.close()
  })

  test('come with the clock of the system', async () => {
    const socket = await openNotifySocket('@footman-test-clock')
    const before = socket!.monotonicMicroseconds()
    const uptime = BigInt(Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1e6))
    const after = socket!.monotonicMicroseconds()
    // Without suspends both clocks are the same; uptime has hundredths of a second.
    expect(after).toBeGreaterThanOrEqual(before)
    expect(uptime - before).toBeGreaterThanOrEqual(-20_000n)
    socket?.close()
  })
})
