/** Running other programs. */
import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { runCommand } from '../../../src/platform/command.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const onUnix = test.skipIf(process.platform === 'win32')
const WAIT = { timeoutMs: 20_000 }

onUnix('tells exit code and output; arguments go through no shell', async () => {
  const odd = ['$HOME', '`id`', '; echo no', 'a b', '&&', '*']
  expect(await runCommand('printf', ['%s\\n', ...odd], WAIT)).toEqual({
    code: 0,
    stdout: `${odd.join('\n')}\n`,
    stderr: '',
  })
  const failed = await runCommand('sh', ['-c', 'echo out; echo err >&2; exit 7'], WAIT)
  expect(failed).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' })
})

onUnix('bytes that are no UTF-8 are read as Windows-1252', async () => {
  expect((await runCommand('printf', ['\\311TAT'], WAIT)).stdout).toBe('ÉTAT')
})

test('a program that does not exist', async () => {
  const failure = runCommand('footman-no-such-program', [], WAIT)
  await expect(failure).rejects.toMatchObject({ name: 'CommandError', kind: 'notFound' })
})

onUnix('one that hangs is ended with what it has started, at the end of its time', async () => {
  await using directory = tempDirectory()
  const file = directory.join('pid')
  const hanging = runCommand('sh', ['-c', `echo $$ > ${file}; sleep 1000 & wait`], { timeoutMs: 2000 })
  await expect(hanging).rejects.toMatchObject({ kind: 'timeout' })
  await hanging.catch(() => {})
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8'))
  await until(() => !isAlive(pid), { timeout: 10_000 })
})

onUnix('a signal ends it at once', async () => {
  const stopping = new AbortController()
  const hanging = runCommand('sleep', ['1000'], { ...WAIT, signal: stopping.signal })
  stopping.abort()
  await expect(hanging).rejects.toMatchObject({ kind: 'aborted' })
  await hanging.catch(() => {})
  await expect(runCommand('true', [], { ...WAIT, signal: stopping.signal })).rejects.toMatchObject({ kind: 'aborted' })
})

onUnix('output without end is cut off', async () => {
  const endless = runCommand('yes', [], { ...WAIT, maxBytes: 10_000 })
  await expect(endless).rejects.toMatchObject({ kind: 'failed' })
  await endless.catch(() => {})
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
