/** The service commands on Windows, with everything that they would run recorded. Only the paths are those of this machine. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type InstallOptions, runInstall, runUninstall } from '../../../../src/cli/service/install.ts'
import { runLogs, runStatus } from '../../../../src/cli/service/watch.ts'
import { type Answer, recordedHost, recordedIo } from '../../../support/service-host.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'

let folder: TempDirectory
beforeEach(() => {
  folder = tempDirectory()
  mkdirSync(folder.join('foot & man'))
  configure({})
})
afterEach(() => folder.remove())

const beside = (...names: string[]) => folder.join('foot & man', ...names)

function configure(butler: Record<string, unknown>): void {
  const config = { fileLogging: true, logDirectory: folder.join('log'), ...butler }
  writeFileSync(folder.join('footman.yaml'), JSON.stringify({ Butler: config }))
}

const ABSENT = { code: 1060, stdout: '[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n' }

function scene(answers: readonly (readonly [string, Answer])[] = []) {
  const host = recordedHost({ platform: 'win32', cwd: folder.path, execPath: beside('footman.exe'), answers })
  return { host, io: recordedIo() }
}

const install = (
  options: InstallOptions,
  answers: readonly (readonly [string, Answer])[] = [['sc.exe query', ABSENT]],
) => {
  const { host, io } = scene(answers)
  return { host, io, ended: runInstall({ configfile: 'footman.yaml', ...options }, io, host) }
}

/** A data directory for the account, the system and administrators alone, and what is in it with it. */
const closed = (path: string, account: string): string[] => [
  `icacls.exe ${path} /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F /grant:r *S-1-5-32-544:(OI)(CI)F /grant:r ${account}:(OI)(CI)M`,
  `icacls.exe ${join(path, '*')} /reset /T /C`,
]

describe('through WinSW', () => {
  test('found beside the program: service, account, restarts, rights, start', async () => {
    writeFileSync(beside('WinSW-x64.exe'), 'winsw')
    const { host, io, ended } = install({})
    expect(await ended).toBe(0)
    const program = beside('Footman-service.exe')
    const [data, log] = [folder.join('data'), folder.join('log')]
    expect(host.calls).toEqual([
      'sc.exe query Footman',
      `${program} install`,
      'sc.exe config Footman start= delayed-auto obj= NT SERVICE\\Footman',
      'sc.exe failure Footman reset= 3600 actions= restart/5000/restart/60000/restart/300000',
      'sc.exe failureflag Footman 1',
      `icacls.exe ${folder.join('footman.yaml')} /grant NT SERVICE\\Footman:R`,
      ...closed(data, 'NT SERVICE\\Footman'),
      `icacls.exe ${log} /grant NT SERVICE\\Footman:(OI)(CI)M /T`,
      `${program} start`,
    ])
    expect(readFileSync(program, 'utf8')).toBe('winsw')
    expect(readFileSync(beside('Footman-service.xml'), 'utf8')).toContain(
      `<executable>${beside('footman.exe').replace('&', '&amp;')}</executable>`,
    )
    expect(existsSync(data) && existsSync(log)).toBe(true)
    expect(io.printed.err).toBe('')
    expect(io.printed.out).toContain('Service Footman: installed and started.')
  })

  test('again: the service is stopped, gets the new settings, and starts', async () => {
    writeFileSync(beside('Footman-service.exe'), 'winsw')
    const { host, ended } = install({}, [[`${beside('Footman-service.exe')} stop`, { code: 1 }]])
    expect(await ended).toBe(0)
    expect(host.calls.slice(0, 4)).toEqual([
      'sc.exe query Footman',
      'sc.exe qc Footman',
      `${beside('Footman-service.exe')} stop`,
      'sc.exe config Footman start= delayed-auto obj= NT SERVICE\\Footman',
    ])
    expect(host.calls.some((call) => call.endsWith(' install'))).toBe(false)
  })

  test('given with --winsw, under a managed account and another name, without a start', async () => {
    writeFileSync(folder.join('w.exe'), 'other')
    const { host, ended } = install({ winsw: 'w.exe', user: 'ACME\\footman$', name: 'Footman-2', start: false })
    expect(await ended).toBe(0)
    expect(readFileSync(beside('Footman-2-service.exe'), 'utf8')).toBe('other')
    expect(host.calls).toContain('sc.exe config Footman-2 start= delayed-auto obj= ACME\\footman$')
    expect(host.calls.at(-1)).toStartWith('icacls.exe')
  })

  test('again with another WinSW: what runs is stopped before it is replaced', async () => {
    writeFileSync(beside('Footman-service.exe'), 'old')
    writeFileSync(folder.join('new.exe'), 'new')
    const { io, ended } = install({ winsw: 'new.exe' }, [])
    expect(await ended).toBe(0)
    expect(io.printed.out.indexOf(' stop\n')).toBeLessThan(io.printed.out.indexOf('copy '))
    expect(readFileSync(beside('Footman-service.exe'), 'utf8')).toBe('new')
  })

  test('a service of that name that something else made is left alone, with exit code 2', async () => {
    writeFileSync(beside('WinSW-x64.exe'), '')
    const qc = '        BINARY_PATH_NAME   : C:\\nssm\\nssm.exe\r\n'
    const { host, io, ended } = install({}, [['sc.exe qc', { stdout: qc }]])
    expect(await ended).toBe(2)
    expect(io.printed.err).toContain('was not made by "footman service install"; it is left alone')
    expect(host.calls).toEqual(['sc.exe query Footman', 'sc.exe qc Footman'])
  })

  test('reads the certificates, secrets and credentials of the configuration, file by file', async () => {
    writeFileSync(beside('WinSW-x64.exe'), '')
    mkdirSync(folder.join('Footman', 'credentials'), { recursive: true })
    const there = folder.join('Footman', 'credentials', 'there.dpapi')
    for (const path of [there, folder.join('key.pem'), folder.join('cert.pem')]) writeFileSync(path, '')
    writeFileSync(folder.join('secret'), 'https://h.example/x')
    const outside = (text: string) => `$\{${text}}`
    configure({
      restServerConfig: { enable: true, tls: { enable: true, cert: 'cert.pem', key: 'key.pem' } },
      heartbeat: { enable: true, remoteURL: outside('file:secret'), frequency: 'every 1 minute' },
      footman: { mqtt: { username: outside('credential:there'), password: outside('credential:gone') } },
    })
    const host = { ...scene([['sc.exe query', ABSENT]]).host, env: { ProgramData: folder.path } }
    const io = recordedIo()
    const code = await runInstall({ configfile: 'footman.yaml' }, io, host)
    expect({ code, err: io.printed.err }).toEqual({ code: 0, err: '' })
    const readable = host.calls.filter((call) => call.endsWith(':R'))
    expect(readable).toEqual(
      [folder.join('footman.yaml'), folder.join('secret'), folder.join('cert.pem'), folder.join('key.pem'), there].map(
        (path) => `icacls.exe ${path} /grant NT SERVICE\\Footman:R`,
      ),
    )
    expect(io.printed.out).toContain('  footman credential set gone --account "NT SERVICE\\Footman"')
  })

  test('what it could not be let into is told, and ends nothing', async () => {
    writeFileSync(beside('WinSW-x64.exe'), '')
    for (const name of ['cert.pem', 'key.pem']) writeFileSync(folder.join(name), '')
    configure({ restServerConfig: { enable: true, tls: { enable: true, cert: 'cert.pem', key: 'key.pem' } } })
    const { io, ended } = install({}, [
      ['sc.exe query', ABSENT],
      [`icacls.exe ${folder.join('key.pem')}`, { code: 5 }],
    ])
    expect(await ended).toBe(0)
    expect(io.printed.err).toBe(
      `warning: NT SERVICE\\Footman could not be allowed to read ${folder.join('key.pem')}; see that it may\n`,
    )
  })

  test('folders with things of others, and schedules beside the configuration, are for people to open', async () => {
    writeFileSync(beside('WinSW-x64.exe'), '')
    mkdirSync(folder.join('data'))
    writeFileSync(folder.join('data', 'someone.txt'), '')
    writeFileSync(folder.join('schedule.yaml'), '')
    configure({ scheduler: { enable: true, configfile: folder.join('schedule.yaml') } })
    const { host, io, ended } = install({})
    expect(await ended).toBe(0)
    expect(host.calls.filter((call) => call.includes('(OI)'))).toEqual([
      `icacls.exe ${folder.join('log')} /grant NT SERVICE\\Footman:(OI)(CI)M /T`,
    ])
    expect(io.printed.out).toContain(`  icacls "${folder.join('data')}" /grant "NT SERVICE\\Footman:(OI)(CI)M"`)
    expect(io.printed.out).toContain(`  icacls "${folder.path}" /grant "NT SERVICE\\Footman:(OI)(CI)M"`)
  })

  test.each(['C:\\', 'c:\\Windows\\Footman', 'C:\\ProgramData', 'C:/Users/anna', '\\\\server\\share'])(
    'the data directory %s is refused',
    async (dataDirectory) => {
      writeFileSync(beside('WinSW-x64.exe'), '')
      configure({ footman: { dataDirectory } })
      const { host, io, ended } = install({})
      expect(await ended).toBe(1)
      expect(io.printed.err).toContain(`Butler.footman.dataDirectory: ${dataDirectory} is a folder of the system`)
      expect(host.calls).toEqual(['sc.exe query Footman'])
    },
  )

  test('a path that WinSW would take for a variable is refused', async () => {
    configure({ logDirectory: 'D:\\100%TEMP%\\log' })
    const { io, ended } = install({})
    expect(await ended).toBe(1)
    expect(io.printed.err).toContain('Windows takes what stands between % for a variable')
  })

  test('a start that fails: where to look', async () => {
    writeFileSync(beside('WinSW-x64.exe'), '')
    const { io, ended } = install({}, [
      ['sc.exe query', ABSENT],
      [`${beside('Footman-service.exe')} start`, { code: 1, stderr: 'timeout' }],
    ])
    expect(await ended).toBe(2)
    expect(io.printed.err).toContain(`Its output: the files in ${folder.join('log')}`)
  })

  test('that is not there: its place is told, with exit code 3', async () => {
    const { host, io, ended } = install({})
    expect(await ended).toBe(3)
    expect(io.printed.err).toContain(`there is no WinSW in ${beside()}`)
    expect(io.printed.err).toContain('--task-scheduler')
    expect(host.calls).toEqual([])
  })

  test('--print changes nothing', async () => {
    writeFileSync(beside('WinSW.NET4.exe'), '')
    const { host, io, ended } = install({ print: true })
    expect(await ended).toBe(0)
    expect(host.calls).toEqual(['sc.exe query Footman'])
    expect(existsSync(beside('Footman-service.xml'))).toBe(false)
    expect(io.printed.out).toContain('<stoptimeout>25 sec</stoptimeout>')
    expect(io.printed.out).toContain('$ sc.exe config Footman start= delayed-auto obj= "NT SERVICE\\Footman"')
  })

  test.each<[string, Answer, string]>([
    ['refuses', { code: 5, stdout: '[SC] OpenService FAILED 5:\r\n\r\nAccess is denied.\r\n' }, 'Access is denied.'],
    ['hangs', 'hangs', 'did not answer within'],
    ['is missing', 'missing', 'cannot be started'],
  ])('when Windows %s, with exit code 2', async (_, answer, message) => {
    writeFileSync(beside('WinSW-x64.exe'), '')
    const { io, ended } = install({}, [
      ['sc.exe query', ABSENT],
      ['sc.exe config', answer],
    ])
    expect(await ended).toBe(2)
    expect(io.printed.err).toContain(message)
  })

  test.each<[string, InstallOptions, string]>([
    ['an account with a password', { user: 'ACME\\anna' }, 'asks for no passwords'],
    ['two ways at once', { nssm: true, taskScheduler: true }, 'choose one of them'],
    ['a WinSW that is not there', { winsw: 'nowhere.exe' }, 'there is no such file'],
  ])('%s is refused with exit code 1', async (_, options, message) => {
    const { io, ended } = install(options)
    expect(await ended).toBe(1)
    expect(io.printed.err).toContain(message)
  })
})

describe('as a task', () => {
  test('written as UTF-16, made and started', async () => {
    const { host, io, ended } = install({ taskScheduler: true })
    expect(await ended).toBe(0)
    const file = beside('Footman-task.xml')
    expect(host.calls).toEqual([
      `icacls.exe ${folder.join('footman.yaml')} /grant *S-1-5-19:R`,
      ...closed(folder.join('data'), '*S-1-5-19'),
      `icacls.exe ${folder.join('log')} /grant *S-1-5-19:(OI)(CI)M /T`,
      'schtasks.exe /end /tn Footman',
      `schtasks.exe /create /tn Footman /xml ${file} /f`,
      'schtasks.exe /run /tn Footman',
    ])
    const bytes = readFileSync(file)
    expect([bytes[0], bytes[1]]).toEqual([0xff, 0xfe])
    expect(new TextDecoder('utf-16le').decode(bytes)).toStartWith('<?xml version="1.0" encoding="UTF-16"?>')
    expect(io.printed.out).not.toContain('fileLogging')
  })

  test('without log files its log would be lost, which is told', async () => {
    configure({ fileLogging: false })
    const { io, ended } = install({ taskScheduler: true, print: true })
    expect(await ended).toBe(0)
    expect(io.printed.out).toContain('set Butler.fileLogging to true')
  })
})

test('--nssm prints commands and runs none', async () => {
  const { host, io, ended } = install({ nssm: true })
  expect(await ended).toBe(0)
  expect(host.calls).toEqual([])
  expect(io.printed.out).toContain('  nssm install Footman ')
})

test('--firewall makes the rules', async () => {
  configure({ udpServerConfig: { enable: true, serverHost: '0.0.0.0', portTaskFailure: 9998 } })
  const { host, ended } = install({ taskScheduler: true, firewall: true })
  expect(await ended).toBe(0)
  expect(host.calls.at(-1)).toBe(
    `netsh.exe advfirewall firewall add rule name=Footman UDP events dir=in action=allow protocol=UDP localport=9998 program=${beside('footman.exe')}`,
  )
})

describe('uninstall', () => {
  test('of a service', async () => {
    writeFileSync(beside('Footman-service.exe'), '')
    writeFileSync(beside('Footman-service.xml'), '')
    const { host, io } = scene()
    expect(await runUninstall({}, io, host)).toBe(0)
    expect(host.calls).toEqual([
      'sc.exe query Footman',
      `${beside('Footman-service.exe')} stop`,
      `${beside('Footman-service.exe')} uninstall`,
    ])
    expect(existsSync(beside('Footman-service.xml'))).toBe(false)
  })

  test('of a service that something else made', async () => {
    const { host, io } = scene()
    expect(await runUninstall({}, io, host)).toBe(0)
    expect(host.calls.slice(1)).toEqual(['sc.exe stop Footman', 'sc.exe delete Footman'])
  })

  test('of a task', async () => {
    const { host, io } = scene([['sc.exe query', ABSENT]])
    expect(await runUninstall({}, io, host)).toBe(0)
    expect(host.calls.slice(1)).toEqual([
      'schtasks.exe /query /tn Footman',
      'schtasks.exe /end /tn Footman',
      'schtasks.exe /delete /tn Footman /f',
    ])
  })

  test('of what is not there ends with 3', async () => {
    const { host, io } = scene([
      ['sc.exe query', ABSENT],
      ['schtasks.exe', { code: 1 }],
    ])
    expect(await runUninstall({}, io, host)).toBe(3)
    expect(io.printed.err).toContain('Windows knows no service and no task of that name')
  })
})

/** In German, as the words differ by language and the numbers don't. */
const queryex = (state: number, word: string, pid: number) =>
  `
SERVICE_NAME: Footman
        TYP                : 10  WIN32_OWN_PROCESS
        STATUS             : ${state}  ${word}
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_BEENDEN_CODE : 0  (0x0)
        DIENST_BEENDEN_CODE: 0  (0x0)
        PRÜFPUNKT          : 0x0
        WARTEHINWEIS       : 0x0
        PID                : ${pid}
        FLAGS              :
`.replaceAll('\n', '\r\n')

const QC = `
[SC] QueryServiceConfig ERFOLG

SERVICE_NAME: Footman
        TYP                : 10  WIN32_OWN_PROCESS
        STARTTYP           : 2   AUTO_START  (DELAYED)
        FEHLERSTEUERUNG    : 1   NORMAL
        NAME_PFAD_BINÄR    : "C:\\footman\\Footman-service.exe"
`.replaceAll('\n', '\r\n')

describe('status', () => {
  test('of a running service', async () => {
    const { host, io } = scene([
      ['sc.exe query', { stdout: queryex(4, 'RUNNING', 4711) }],
      ['sc.exe qc', { stdout: QC }],
    ])
    expect(await runStatus({ json: true }, io, host)).toBe(0)
    expect(JSON.parse(io.printed.out)).toEqual({
      name: 'Footman',
      manager: 'Windows service',
      running: true,
      state: 'running',
      enabled: true,
      pid: 4711,
      details: {},
      installed: true,
    })
  })

  test.each([
    [1, 'STOPPED', 'stopped'],
    [2, 'START_PENDING', 'starting'],
    [3, 'STOP_PENDING', 'stopping'],
  ])('%d %s ends with 3', async (state, word, shown) => {
    const { host, io } = scene([['sc.exe query', { stdout: queryex(state, word, 0) }]])
    expect(await runStatus({}, io, host)).toBe(3)
    expect(io.printed.out).toContain(shown)
  })

  test.each([
    ['4', 0, 'running'],
    ['3', 3, 'ready'],
    ['1', 3, 'disabled'],
    ['', 3, 'unknown'],
  ])('of a task: %p ends with %d', async (number, code, state) => {
    const { host, io } = scene([
      ['sc.exe query', ABSENT],
      ['powershell.exe', { stdout: `${number}\r\n` }],
    ])
    expect(await runStatus({ json: true }, io, host)).toBe(code)
    expect(JSON.parse(io.printed.out)).toMatchObject({ manager: 'Task Scheduler', state })
  })

  test('of what is not installed ends with 3', async () => {
    const { host, io } = scene([
      ['sc.exe query', ABSENT],
      ['schtasks.exe', { code: 1 }],
    ])
    expect(await runStatus({ json: true }, io, host)).toBe(3)
    expect(JSON.parse(io.printed.out)).toMatchObject({ installed: false, state: 'not installed' })
  })

  test('when Windows cannot be asked ends with 2', async () => {
    const { host, io } = scene([['sc.exe', 'missing']])
    expect(await runStatus({}, io, host)).toBe(2)
    expect(io.printed.err).toStartWith('error: sc: ')
  })
})

describe('logs', () => {
  const log = (...names: string[]) => folder.join('log', ...names)
  beforeEach(() => mkdirSync(log()))

  test('are the last lines of the newest file', async () => {
    writeFileSync(log('butler.2026-03-01.log'), 'old\n')
    writeFileSync(log('butler.2026-03-02.log'), 'one\r\ntwo\r\nthree\r\n')
    writeFileSync(log('Footman-service.out.log'), 'not this\n')
    const { host, io } = scene()
    expect(await runLogs({ configfile: 'footman.yaml', lines: 2 }, io, host)).toBe(0)
    expect(io.printed.out).toBe('two\nthree\n')
  })

  test('are the output that WinSW caught where there are no log files; the entry names the configuration', async () => {
    configure({ fileLogging: false })
    writeFileSync(beside('WinSW-x64.exe'), '')
    expect(await install({ start: false }).ended).toBe(0)
    writeFileSync(beside('log', 'Footman-service.out.log'), 'caught\n')
    const { host, io } = scene()
    expect(await runLogs({ lines: 10 }, io, host)).toBe(0)
    expect(io.printed.out).toBe('caught\n')
  })

  test('that are not there end with 3', async () => {
    const { host, io } = scene()
    expect(await runLogs({ configfile: 'footman.yaml', lines: 2 }, io, host)).toBe(3)
    expect(io.printed.err).toContain(`there is no log file in ${log()}`)
  })

  test('are followed into the file of the next day', async () => {
    writeFileSync(log('butler.2026-03-01.log'), 'one\n')
    const { host, io } = scene()
    const end = new AbortController()
    const following = runLogs({ configfile: 'footman.yaml', lines: 5, follow: true }, io, host, end.signal)
    await until(() => io.printed.out === 'one\n')
    appendFileSync(log('butler.2026-03-01.log'), 'two\nhal')
    await until(() => io.printed.out === 'one\ntwo\n')
    appendFileSync(log('butler.2026-03-01.log'), 'f\n')
    await until(() => io.printed.out === 'one\ntwo\nhalf\n')
    writeFileSync(log('butler.2026-03-02.log'), 'next day\n')
    await until(() => io.printed.out === 'one\ntwo\nhalf\nnext day\n')
    end.abort()
    expect(await following).toBe(0)
  })
})
