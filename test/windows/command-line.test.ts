/** Commands of the Windows build that need no Qlik Sense. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import manifest from '../../package.json' with { type: 'json' }
import { runToEnd } from '../support/binary.ts'
import { freeTcpPort } from '../support/ports.ts'
import { tempDirectory } from '../support/temp.ts'
import { type WindowsHost, windowsHost } from '../support/wine/wine.ts'

let host: WindowsHost
beforeAll(async () => {
  host = await windowsHost()
}, 90_000)

const footman = (args: readonly string[], cwd?: string) =>
  runToEnd([...host.args, ...args], { command: host.command, env: host.env, cwd, timeout: 30_000 })

describe('footman.exe', () => {
  test('--version tells its version', async () => {
    const { code, stdout } = await footman(['--version'])
    expect({ code, version: stdout.split(' ')[0] }).toEqual({ code: 0, version: manifest.version })
  })

  test('demo sends alerts, stops by itself and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await footman(['demo', '--duration', '3', '--port', String(await freeTcpPort())])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/email +delivered +Financial Dashboard Reload/)
    expect(stdout).toContain('Stopped after')
    const left = await Array.fromAsync(
      new Bun.Glob('users/*/Temp/footman-demo-*').scan({ cwd: host.onDisk(), onlyFiles: false }),
    )
    expect(left).toEqual([])
  }, 60_000)
})

describe('check finds files however their paths are written', () => {
  const VALID = `Butler:
  logDirectory: C:\\logs
  fileCopyApprovedDirectories:
    - fromDirectory: C:\\qvd\\in
      toDirectory: \\\\server3.my.domain\\data1\\qvd
`
  test.each([
    ['with backslashes', (folder: string) => `C:\\${folder}\\conf\\footman.yaml`],
    ['with slashes', (folder: string) => `C:/${folder}/conf/footman.yaml`],
    [
      'with the drive letter and names in other case',
      (folder: string) => `c:\\${folder.toUpperCase()}\\CONF\\Footman.YAML`,
    ],
    ['without a drive letter', (folder: string) => `\\${folder}\\conf\\footman.yaml`],
    ['relative, with backslashes', () => 'conf\\footman.yaml'],
    ['relative, with . and ..', () => '.\\conf\\..\\conf\\footman.yaml'],
    ['relative to the working directory of the drive', () => 'C:conf\\footman.yaml'],
    ['as a verbatim path', (folder: string) => `\\\\?\\C:\\${folder}\\conf\\footman.yaml`],
  ])('%s', async (_, path) => {
    await using directory = tempDirectory(host.onDisk())
    mkdirSync(directory.join('conf'))
    writeFileSync(directory.join('conf', 'footman.yaml'), VALID)
    const folder = directory.path.split('/').at(-1)!
    const { code, stdout, stderr } = await footman(['check', '-c', path(folder), '--no-qs-connection'], directory.path)
    expect({ code, stderr, valid: /: valid, 0 errors, 0 warnings/.test(stdout) || stdout }).toEqual({
      code: 0,
      stderr: '',
      valid: true,
    })
  })

  test('problems are told with the path of the file, line and hint', async () => {
    await using directory = tempDirectory(host.onDisk())
    writeFileSync(
      directory.join('bad.yaml'),
      'Butler:\r\n  restServerConfig:\r\n    serverPort: 99999\r\n    enable: true\r\n',
    )
    const path = host.path(directory.join('bad.yaml'))
    const { code, stdout, stderr } = await footman(['check', '-c', path])
    expect(code).toBe(1)
    expect(stdout + stderr).toContain(`${path}:3:`)
    expect(stdout + stderr).toContain('Butler.restServerConfig.serverPort')
  })

  test('a file that is not there is named', async () => {
    const { code, stdout, stderr } = await footman(['check', '-c', 'C:\\nowhere\\footman.yaml'])
    expect(code).toBe(1)
    expect(stdout + stderr).toContain('C:\\nowhere\\footman.yaml')
  })
})
