/** The end of `npm run fuzz` by a signal. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { runBinary } from '../../support/binary.ts'
import { until } from '../../support/wait.ts'

const root = join(import.meta.dirname, '..', '..', '..')

const childrenOf = (pid: number): readonly string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
const isThere = (pid: string): boolean => {
  try {
    return process.kill(Number(pid), 0)
  } catch {
    return false
  }
}

test.skipIf(process.platform !== 'linux')(
  'SIGTERM ends the process of a target, too',
  async () => {
    const args = ['--no-env-file', 'scripts/fuzz.ts', '--only', 'globs', '--seconds', '600']
    const fuzz = runBinary(args, { command: process.execPath, cwd: root })
    await until(() => childrenOf(fuzz.pid).length > 0, { what: 'the process of the target', timeout: 30_000 })
    const [child = ''] = childrenOf(fuzz.pid)
    expect(await fuzz.stop()).toBe(1)
    await until(() => !isThere(child), { what: 'the end of the process of the target' })
  },
  90_000,
)
