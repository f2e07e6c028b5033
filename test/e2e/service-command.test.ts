/** `footman service` of the executable, with a systemd that records what it is asked. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { runToEnd } from '../support/binary.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'

const PROGRAMS = [
  'systemctl',
  'journalctl',
  'useradd',
  'install',
  'chown',
  'chgrp',
  'chmod',
  'setfacl',
  'runuser',
  'id',
]

let folder: TempDirectory
beforeEach(() => {
  folder = tempDirectory()
  mkdirSync(folder.join('bin'))
  for (const program of PROGRAMS) answer(program, '', 0)
  writeFileSync(folder.join('footman.yaml'), 'Butler:\n  footman:\n    dataDirectory: data\n')
})
afterEach(() => folder.remove())

/** What a program of the system says from now on; its calls are written down. */
function answer(program: string, output: string, code: number): void {
  const script = `#!/bin/sh\necho "${program} $*" >> '${folder.join('calls')}'\nprintf '%s' '${output}'\nexit ${code}\n`
  writeFileSync(folder.join('bin', program), script, { mode: 0o755 })
}

const calls = () => readFileSync(folder.join('calls'), 'utf8').trimEnd().split('\n')

const service = (...args: string[]) =>
  runToEnd(['service', ...args], {
    cwd: folder.path,
    env: { PATH: `${folder.join('bin')}:${process.env.PATH}` },
    timeout: 30_000,
  })

describe.skipIf(process.platform !== 'linux')('footman service', () => {
  test('install, twice, status, logs, uninstall: as documented', async () => {
    const entry = ['-c', 'footman.yaml', '--directory', folder.path]
    const first = await service('install', ...entry)
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' })
    expect((await service('install', ...entry)).code).toBe(0)
    expect(calls().filter((call) => call === 'systemctl restart footman.service')).toHaveLength(2)
    const unit = readFileSync(folder.join('footman.service'), 'utf8')
    expect(unit).toContain(` run -c ${folder.join('footman.yaml')}\n`)

    answer('systemctl', 'LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\n', 0)
    const status = await service('status', '--json')
    expect(status.code).toBe(0)
    expect(JSON.parse(status.stdout)).toMatchObject({ installed: true, running: true, pid: 7 })

    answer('journalctl', 'a line\n', 0)
    const logs = await service('logs', '--lines', '3')
    expect({ code: logs.code, stdout: logs.stdout }).toEqual({ code: 0, stdout: 'a line' })
    expect(calls().at(-1)).toBe('journalctl --unit footman.service --lines 3 --output short-iso --no-pager')

    expect((await service('uninstall', '--directory', folder.path)).code).toBe(0)
    expect(existsSync(folder.join('footman.service'))).toBe(false)
    expect((await service('uninstall', '--directory', folder.path)).code).toBe(3)
  }, 60_000)

  test('a stopped service ends status with 3', async () => {
    answer('systemctl', 'LoadState=loaded\nActiveState=failed\nSubState=failed\n', 0)
    expect((await service('status')).code).toBe(3)
  })

  test('a system without systemd ends with 2, wrong arguments with 1', async () => {
    answer('systemctl', '', 1)
    expect((await service('install', '-c', 'footman.yaml', '--directory', folder.path)).code).toBe(2)
    expect((await service('status')).code).toBe(2)
    expect((await service('logs', '--lines', 'many')).code).toBe(1)
    expect((await service('install', '-c', 'footman.yaml', '--name', 'a b')).code).toBe(1)
  })

  test('the examples of its help run', async () => {
    for (const command of ['install', 'uninstall', 'status', 'logs']) {
      const { code, stdout } = await service(command, '--help')
      expect(code).toBe(0)
      expect(stdout).toMatch(new RegExp(`Examples?\\n {2}.*footman service ${command}`, 's'))
    }
    expect((await service('install', '-c', 'footman.yaml', '--print')).stdout).toContain('[Service]')
    expect(existsSync('/etc/systemd/system/footman.service')).toBe(false)
  })
})
