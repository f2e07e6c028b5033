/** No line is lost at the end of the process, and nothing keeps the process from ending. */
import { describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { tempDirectory } from '../../support/temp.ts'

const child = join(import.meta.dirname, '..', '..', 'support', 'log-child.ts')

/** `stall` is the time, in milliseconds, for which the reader of the pipe really does not read. */
async function linesFrom(way: string, stall: number): Promise<string[]> {
  const program = spawn(process.execPath, ['--no-env-file', child, way], { stdio: ['ignore', 'pipe', 'inherit'] })
  await delay(stall)
  let text = ''
  for await (const chunk of program.stdout) text += chunk
  return text.trimEnd().split('\n')
}

const numbers = (lines: readonly string[]) => lines.map((line) => Number(/info: line (\d+) /.exec(line)?.[1]))
const ALL = Array.from({ length: 20_000 }, (_, index) => index + 1)

describe('the end of the process', () => {
  test.each(['exit', 'close'])('%s: every line arrives, in order, at a reader that stalls', async (way) => {
    expect(numbers(await linesFrom(way, 300))).toEqual(ALL)
  })

  test('every line is in the file', async () => {
    await using folder = tempDirectory()
    const program = spawn(process.execPath, ['--no-env-file', child, 'file', folder.path], { stdio: 'ignore' })
    expect(await new Promise((resolve) => program.on('exit', resolve))).toBe(0)
    const [name] = readdirSync(folder.path)
    expect(numbers(readFileSync(folder.join(name!), 'utf8').trimEnd().split('\n'))).toEqual(ALL)
  })

  test.skipIf(!existsSync('/dev/full'))('a full disk does not keep the process from ending', async () => {
    for (const way of ['exit', 'close']) {
      const full = openSync('/dev/full', 'w')
      const program = spawn(process.execPath, ['--no-env-file', child, way], { stdio: ['ignore', full, 'ignore'] })
      expect(await new Promise((resolve) => program.on('exit', resolve))).toBe(0)
    }
  })

  test('a reader that goes away does not end the process with an error', async () => {
    const program = spawn(process.execPath, ['--no-env-file', child, 'close'], { stdio: ['ignore', 'pipe', 'ignore'] })
    program.stdout.destroy()
    expect(await new Promise((resolve) => program.on('exit', (code) => resolve(code)))).toBe(0)
  })
})

describe('an error', () => {
  const command = [process.execPath, '--no-env-file', child, 'error']
  const told = (text: string) => text.split('\n').filter((line) => line.includes('what went wrong')).length

  test('is told once where both outputs lead to the same file', async () => {
    await using folder = tempDirectory()
    const file = openSync(folder.join('all.log'), 'w')
    const program = spawn(command[0]!, command.slice(1), { stdio: ['ignore', file, file] })
    await new Promise((resolve) => program.on('exit', resolve))
    expect(told(readFileSync(folder.join('all.log'), 'utf8'))).toBe(1)
  })

  test('is told by both outputs where they lead elsewhere', async () => {
    await using folder = tempDirectory()
    const [out, err] = ['out', 'err'].map((name) => openSync(folder.join(name), 'w'))
    const program = spawn(command[0]!, command.slice(1), { stdio: ['ignore', out!, err!] })
    await new Promise((resolve) => program.on('exit', resolve))
    expect(['out', 'err'].map((name) => told(readFileSync(folder.join(name), 'utf8')))).toEqual([1, 1])
  })
})
