import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import process from 'node:process'
import { runBinary } from '../../support/binary.ts'
import { repositoryRoot } from '../../support/source.ts'

const CHILD = `
  process.on('SIGTERM', () => process.exit(6))
  process.on('SIGINT', () => process.exit(7))
  setInterval(() => {}, 1000)
  console.log('child', process.pid)`
const RUN = `
  const { runInForeground } = await import(${JSON.stringify(join(repositoryRoot, 'scripts', 'run.mjs'))})
  runInForeground(${JSON.stringify(process.execPath)}, ['-e', ${JSON.stringify(CHILD)}])`

/** The scripts that npm calls run under Node.js. */
const start = () => runBinary(['--input-type=module', '-e', RUN], { command: 'node' })

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('running the binary in the foreground', () => {
  test.each([
    ['SIGTERM', 6],
    ['SIGINT', 7],
  ] as const)('hands %s on and ends with the exit code of the program', async (signal, code) => {
    await using running = start()
    await running.waitForLine(/child/)
    running.signal(signal)
    expect(await running.ended).toEqual({ code, signal: null })
  })

  test('stops the program when its own parent has gone', async () => {
    const script = `
      const child = require('node:child_process').spawn('node', ['--input-type=module', '-e', ${JSON.stringify(RUN)}], { stdio: 'inherit' })
      setInterval(() => {}, 1000)`
    await using parent = runBinary(['-e', script], { command: 'node' })
    const [, pid] = await parent.waitForLine(/child (\d+)/)
    parent.signal('SIGKILL')
    // The pipes close when the last process that holds them has ended.
    expect((await parent.ended).signal).toBe('SIGKILL')
    expect(isAlive(Number(pid))).toBe(false)
  })
})
