import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import process from 'node:process'
import { type Running, runBinary } from '../../support/binary.ts'

const child = join(import.meta.dirname, '..', '..', 'support', 'process-child.ts')

async function start(way = ''): Promise<Running> {
  const running = runBinary(['--no-env-file', child, way], { command: process.execPath })
  await running.waitForLine(/info: ready/)
  return running
}

const messages = (lines: readonly string[]) => lines.map((line) => line.replace(/^\S+ /, ''))

describe.skipIf(process.platform === 'win32')('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s stops and ends with 0', async (signal) => {
    await using running = await start()
    running.signal(signal)
    expect(await running.ended).toEqual({ code: 0, signal: null })
    expect(messages(running.stdout)).toEqual([
      'info: ready',
      `info: MAIN: Received ${signal}, stopping. A second signal ends Footman at once.`,
      'info: finished with 0',
    ])
  })

  test('a second signal ends at once, as killed by it', async () => {
    await using running = await start('hang')
    running.signal('SIGTERM')
    await running.waitForLine(/Received SIGTERM/)
    running.signal('SIGINT')
    expect(await running.ended).toEqual({ code: null, signal: 'SIGINT' })
  })

  test('one key press that arrives twice is one signal', async () => {
    await using running = await start('hang')
    running.signal('SIGINT')
    await running.waitForLine(/Received SIGINT/)
    running.signal('SIGINT')
    // A second signal would end the process at once.
    expect(await Promise.race([running.ended, Bun.sleep(200)])).toBeUndefined()
  })

  test('SIGHUP is handed on and ends nothing', async () => {
    await using running = await start()
    running.signal('SIGHUP')
    await running.waitForLine(/info: read again/)
    running.signal('SIGTERM')
    expect((await running.ended).code).toBe(0)
  })
})

describe('errors that nobody caught', () => {
  test('a rejection is logged and ends nothing', async () => {
    await using running = await start('reject')
    expect((await running.ended).code).toBe(0)
    expect(messages(running.stdout)).toContain('error: UNHANDLED REJECTION: Reason: cause of the rejection')
    expect(messages(running.stdout)).toContain('error: UNHANDLED REJECTION: Stack trace: Error: cause of the rejection')
    expect(messages(running.stderr)).toContain('error: UNHANDLED REJECTION: Reason: cause of the rejection')
  })

  test('an exception is logged, stops everything and ends with 4: a service manager starts it again', async () => {
    await using running = await start('throw')
    expect((await running.ended).code).toBe(4)
    expect(messages(running.stdout)).toContain('error: UNCAUGHT EXCEPTION: cause of the exception')
    expect(messages(running.stdout)).toContain('info: finished with 4')
  })
})
