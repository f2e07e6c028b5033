/** Footman as a Windows service: what its entries say, and that it stops as service managers stop it. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runBinary, runToEnd } from '../support/binary.ts'
import { freeTcpPort, freeUdpPort } from '../support/ports.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'
import { type WindowsHost, windowsHost } from '../support/wine/wine.ts'

const TIMEOUT = 120_000

let host: WindowsHost
beforeAll(async () => {
  host = await windowsHost()
}, 90_000)

const footman = (args: readonly string[], cwd?: string) =>
  runToEnd([...host.args, ...args], { command: host.command, env: host.env, cwd, timeout: 60_000 })

const element = (text: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]

/** A folder with a configuration. */
async function configured(butler: Record<string, unknown>): Promise<TempDirectory & { readonly file: string }> {
  const folder = tempDirectory(host.onDisk())
  mkdirSync(folder.join('a & b'))
  const file = folder.join('a & b', 'footman.yaml')
  writeFileSync(file, JSON.stringify({ Butler: butler }))
  return Object.assign(folder, { file: host.path(file) })
}

describe('service install', () => {
  test('makes the XML of a task that Windows reads', async () => {
    await using folder = await configured({ fileLogging: true })
    const args = ['-c', folder.file, '--task-scheduler', '--directory', host.path(folder.path), '--no-start']
    // Wine has no Task Scheduler worth the name: what is written before it is asked is looked at.
    await footman(['service', 'install', ...args], folder.path)
    const text = new TextDecoder('utf-16le').decode(readFileSync(folder.join('Footman-task.xml')))
    expect(element(text, 'Command')).toBe('&quot;C:\\Program Files\\Footman\\footman.exe&quot;')
    expect(element(text, 'Arguments')).toBe(`run -c &quot;${folder.file.replace('&', '&amp;')}&quot;`)
    expect(element(text, 'WorkingDirectory')).toBe('C:\\Program Files\\Footman')
  })

  test('shows what WinSW would get, and how NSSM is told', async () => {
    await using folder = await configured({ footman: { shutdown: { grace: '30s' } } })
    writeFileSync(folder.join('WinSW-x64.exe'), '')
    const place = ['-c', folder.file, '--directory', host.path(folder.path), '--print']
    const winsw = await footman(['service', 'install', ...place], folder.path)
    expect({ code: winsw.code, err: winsw.stderr }).toEqual({ code: 0, err: '' })
    expect(element(winsw.stdout, 'stoptimeout')).toBe('45 sec')
    expect(element(winsw.stdout, 'logpath')).toBe('C:\\Program Files\\Footman\\log')
    expect(winsw.stdout).toContain('Footman-service.exe')
    const nssm = await footman(['service', 'install', ...place, '--nssm'], folder.path)
    expect(nssm.code).toBe(0)
    expect(nssm.stdout).toContain('nssm set Footman AppDirectory "C:\\Program Files\\Footman"')
  })

  test('opens to the account its own folders and what the configuration names, by paths of Windows', async () => {
    await using folder = await configured({ footman: { dataDirectory: 'C:\\ProgramData\\Footman\\data' } })
    writeFileSync(folder.join('WinSW-x64.exe'), '')
    const place = ['-c', folder.file, '--directory', host.path(folder.path), '--print']
    const { stdout } = await footman(['service', 'install', ...place], folder.path)
    const opened = stdout.split(/\r?\n/).filter((line) => line.includes('icacls'))
    expect(opened).toEqual([
      `$ icacls.exe "${folder.file}" /grant "NT SERVICE\\Footman:R"`,
      '$ icacls.exe C:\\ProgramData\\Footman\\data /inheritance:r /grant:r "*S-1-5-18:(OI)(CI)F" /grant:r "*S-1-5-32-544:(OI)(CI)F" /grant:r "NT SERVICE\\Footman:(OI)(CI)M"',
      '$ icacls.exe C:\\ProgramData\\Footman\\data\\* /reset /T /C',
      '$ icacls.exe "C:\\Program Files\\Footman\\log" /grant "NT SERVICE\\Footman:(OI)(CI)M" /T',
    ])
  })

  test('refuses a folder of Windows for data', async () => {
    await using folder = await configured({ footman: { dataDirectory: 'C:\\windows' } })
    const { code, stderr } = await footman(['service', 'install', '-c', folder.file, '--task-scheduler'], folder.path)
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('is a folder of the system') })
  })

  test('says where WinSW comes from when it is not there', async () => {
    await using folder = await configured({})
    const { code, stderr } = await footman(['service', 'install', '-c', folder.file], folder.path)
    expect(code).toBe(3)
    expect(stderr).toContain('there is no WinSW in C:\\Program Files\\Footman')
  })
})

test('service status asks Windows', async () => {
  // One that is there, and stopped, in every Wine.
  const { code, stdout } = await footman(['service', 'status', '--name', 'eventlog', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ name: 'eventlog', manager: 'Windows service', installed: true })
  expect(code).toBe(JSON.parse(stdout).running ? 0 : 3)
})

test(
  'Ctrl-C, with which WinSW and NSSM stop a service, ends Footman in good order',
  async () => {
    const source = join(import.meta.dirname, '..', 'support', 'wine', 'ctrl-c.c')
    const program = host.onDisk('ctrl-c.exe')
    const built = spawnSync('x86_64-w64-mingw32-gcc', ['-O2', '-o', program, source], { encoding: 'utf8' })
    expect(built.status, built.stderr).toBe(0)
    const [restPort, udpPort] = [await freeTcpPort(), await freeUdpPort()]
    await using folder = await configured({
      restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort },
      udpServerConfig: { enable: true, serverHost: '127.0.0.1', portTaskFailure: udpPort },
    })
    const line = `"${host.args[0]}" run -c "${folder.file}" --no-qs-connection`
    await using running = runBinary(['C:\\ctrl-c.exe', line], {
      command: host.command,
      env: host.env,
      cwd: folder.path,
    })
    await running.waitForLine(/UDP server listening on/, 60_000)
    await running.waitForLine(/REST server listening on/, 60_000)
    running.write('stop\n')
    const [, code] = await running.waitForLine(/^ended (\d+)/, 60_000)
    expect(running.stdout.join('\n')).toContain('MAIN: Received SIGINT, stopping.')
    expect(code).toBe('0')
    expect(running.stdout.join('\n')).toContain('MAIN: Stopped')
  },
  TIMEOUT,
)
