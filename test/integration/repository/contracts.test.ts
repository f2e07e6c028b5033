/** The compiler connects a contract with everything that uses it: a member that gets another name compiles nowhere. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tempDirectory } from '../../support/temp.ts'

const ROOT = join(import.meta.dir, '../../..')

/** A member of an answer: its contract, the shape in it, its name, and the room of the feature. */
const MEMBERS = [
  ['src/alerts/history/contract.ts', 'const event = ', 'receivedAt', 'src/alerts/'],
  ['src/alerts/history/contract.ts', 'const delivery = ', 'target', 'src/alerts/'],
  ['src/alerts/contract.ts', 'const snooze = ', 'createdBy', 'src/alerts/'],
  ['src/alerts/rules/contract.ts', 'const destination = ', 'lastError', 'src/alerts/'],
  ['src/tasks/executions/contract.ts', 'export const task = ', 'enabled', 'src/tasks/'],
  ['src/tasks/executions/contract.ts', 'export const summary = ', 'runMs', 'src/tasks/'],
  ['src/tasks/schedule/contract.ts', 'const run = ', 'dueAt', 'src/tasks/'],
  ['src/http/contract.ts', 'const auditEntry = ', 'actor', 'src/http/'],
  ['src/console/contract.ts', 'const ABOUT = ', 'timezone', 'src/app/'],
  ['src/reports/runs/contract.ts', 'const listedRun = ', 'taskName', 'src/reports/'],
  ['src/reports/entities/contract.ts', 'const listedTask = ', 'nextRunAt', 'src/reports/'],
] as const

describe('a member of an answer that gets another name', () => {
  let errors: string[] = []

  beforeAll(() => {
    const copy = tempDirectory()
    for (const name of ['src', 'simulator', 'templates', 'config', 'docs', 'tsconfig.json', 'package.json'])
      cpSync(join(ROOT, name), copy.join(name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), copy.join('node_modules'))
    for (const [file, shape, member] of MEMBERS) {
      const text = readFileSync(copy.join(file), 'utf8')
      const at = text.indexOf(`${member}:`, text.indexOf(shape))
      if (!text.includes(shape) || at === -1) throw new Error(`${file} has no ${member} in ${shape}`)
      writeFileSync(copy.join(file), `${text.slice(0, at)}renamed_${text.slice(at)}`)
    }
    const compiler = join(ROOT, 'node_modules/.bin/tsc')
    const checked = ['--noEmit', '-p', '.', '--incremental', 'false', '--checkers', '1']
    try {
      execFileSync(compiler, checked, { cwd: copy.path, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1e9 })
    } catch (error) {
      // An error begins a line; what belongs to it is indented.
      errors = String((error as { stdout: Buffer }).stdout).split(/\n(?=\S)/)
    } finally {
      copy.remove()
    }
  }, 120_000)

  test.each(MEMBERS.map(([file, shape, member, room]) => [member, shape, file, room] as const))(
    '%s of %s',
    (member, _shape, _file, room) => {
      const rooms = [room, 'src/console/', 'src/cli/']
      const named = errors.filter((error) => new RegExp(`\\b(renamed_)?${member}\\b`).test(error))
      expect(rooms.filter((one) => !named.some((error) => error.startsWith(one)))).toEqual([])
    },
  )
})
