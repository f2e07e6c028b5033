/** The service commands on Linux, with everything that they would run recorded. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { runInstall, runUninstall } from '../../../../src/cli/service/install.ts'
import { runLogs, runStatus } from '../../../../src/cli/service/watch.ts'
import { needs } from '../../../support/servers.ts'
import { type Answer, recordedHost, recordedIo } from '../../../support/service-host.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

needs('systemd-analyze')

let folder: TempDirectory
beforeEach(() => {
  folder = tempDirectory()
  mkdirSync(folder.join('units'))
  configure({})
})
afterEach(() => folder.remove())

function configure(butler: Record<string, unknown>): void {
  writeFileSync(folder.join('footman.yaml'), JSON.stringify({ Butler: { fileLogging: true, ...butler } }))
}

const unitFile = (name = 'footman') => folder.join('units', `${name}.service`)

function scene(answers: readonly (readonly [string, Answer])[] = []) {
  const host = recordedHost({ platform: 'linux', cwd: folder.path, execPath: folder.join('bin', 'footman'), answers })
  return { host, io: recordedIo() }
}

const options = (more = {}) => ({ configfile: 'footman.yaml', directory: folder.join('units'), ...more })

describe('install', () => {
  test('makes account and folders, writes the unit, enables and starts it', async () => {
    const { host, io } = scene([['id -u', { code: 1 }]])
    expect(await runInstall(options(), io, host)).toBe(0)
    const [data, log] = [folder.join('data'), folder.join('bin', 'log')]
    expect(host.calls).toEqual([
      'id -u footman',
      'setfacl --version',
      `useradd --system --user-group --no-create-home --shell /usr/sbin/nologin --home-dir ${data} --comment Footman for Qlik Sense footman`,
      // The folder of the test is open to its owner only.
      `setfacl -m u:footman:x ${folder.path}`,
      `install -d -m 0750 -o footman -g footman ${data}`,
      `install -d -m 0750 -o footman -g footman ${log}`,
      `runuser -u footman -- test -r ${folder.join('footman.yaml')}`,
      `runuser -u footman -- test -x ${folder.join('bin', 'footman')}`,
      'systemctl daemon-reload',
      'systemctl enable footman.service',
      'systemctl restart footman.service',
    ])
    expect(readFileSync(unitFile(), 'utf8')).toContain(
      `ExecStart=${folder.join('bin', 'footman')} run -c ${folder.join('footman.yaml')}\n`,
    )
    expect(io.printed.err).toBe('')
    expect(io.printed.out).toContain('Service footman: installed and started.')
  })

  test('again takes over what has changed; its own folders stay those of the account', async () => {
    mkdirSync(folder.join('data'))
    writeFileSync(folder.join('data', 'footman.db'), '')
    await runInstall(options(), recordedIo(), scene().host)
    configure({ footman: { shutdown: { grace: '60s' } } })
    const { host, io } = scene()
    expect(await runInstall(options({ user: 'qlik' }), io, host)).toBe(0)
    expect(readFileSync(unitFile(), 'utf8')).toContain('\nUser=qlik\n')
    expect(readFileSync(unitFile(), 'utf8')).toContain('\nTimeoutStopSec=75\n')
    expect(host.calls).toContain(`chown -hR qlik: ${folder.join('data')}`)
    expect(host.calls.filter((call) => call.startsWith('useradd'))).toEqual([])
  })

  test('gives no folder away that others use', async () => {
    mkdirSync(folder.join('data'))
    writeFileSync(folder.join('data', 'someone.txt'), '')
    const { host, io } = scene([[`runuser -u footman -- test -w`, { code: 1 }]])
    expect(await runInstall(options(), io, host)).toBe(0)
    expect(host.calls.filter((call) => call.startsWith('chown'))).toEqual([])
    expect(io.printed.err).toContain(
      `warning: footman cannot write in ${folder.join('data')}. It holds ${folder.join('data', 'someone.txt')}`,
    )
  })

  test('tells what the account cannot read, and goes on', async () => {
    const { host, io } = scene([['runuser', { code: 1 }]])
    expect(await runInstall(options(), io, host)).toBe(0)
    expect(io.printed.err).toContain(`warning: footman cannot read ${folder.join('footman.yaml')}`)
  })

  test.each(['print', 'dryRun'])('--%s changes nothing', async (how) => {
    const { host, io } = scene()
    expect(await runInstall(options({ [how]: true }), io, host)).toBe(0)
    expect(host.calls).toEqual(['id -u footman', 'setfacl --version'])
    expect(existsSync(unitFile())).toBe(false)
    expect(io.printed.out).toContain('Type=notify')
    expect(io.printed.out).toContain('$ systemctl restart footman.service')
  })

  test('--no-start only installs', async () => {
    const { host, io } = scene()
    expect(await runInstall(options({ start: false, name: 'footman-test' }), io, host)).toBe(0)
    expect(host.calls.at(-1)).toBe('systemctl enable footman-test.service')
    expect(io.printed.out).toContain('footman service status --name footman-test')
  })

  test('--firewall makes the rules', async () => {
    configure({ udpServerConfig: { enable: true, serverHost: '0.0.0.0', portTaskFailure: 9998 } })
    const { host, io } = scene([['env LC_ALL=C ufw status', { stdout: 'Status: active\n' }]])
    expect(await runInstall(options({ firewall: true }), io, host)).toBe(0)
    expect(host.calls.at(-1)).toBe('ufw allow proto udp from any to any port 9998 comment footman UDP events')
  })

  test('opens the folders into which the configuration lets Footman write', async () => {
    configure({
      logDirectory: '/var/log/footman',
      scheduler: { enable: true, configfile: '/etc/footman/schedule.yaml' },
      scriptLog: {
        storeOnDisk: { clientManaged: { reloadTaskFailure: { enable: true, logDirectory: '/srv/scriptlog' } } },
      },
      fileCopyApprovedDirectories: [{ fromDirectory: '/srv/in', toDirectory: '/srv/out' }],
      fileMoveApprovedDirectories: [{ fromDirectory: '/srv/from', toDirectory: '/srv/to' }],
      fileDeleteApprovedDirectories: ['/srv/old'],
      configDirectories: { qvdPath: '/srv/qvd' },
      footman: { dataDirectory: '/var/lib/footman' },
    })
    const { host, io } = scene()
    expect(await runInstall(options({ print: true }), io, host)).toBe(0)
    const opened = [...io.printed.out.matchAll(/^ReadWritePaths=-(.*)$/gm)].map(([, path]) => path)
    expect(opened).toEqual([
      '/var/lib/footman',
      '/var/log/footman',
      '/etc/footman',
      '/srv/scriptlog',
      '/srv/out',
      '/srv/from',
      '/srv/to',
      '/srv/old',
      '/srv/qvd',
    ])
  })

  test('credentials that systemd hands over later are no error now', async () => {
    configure({
      heartbeat: { enable: true, remoteURL: '$' + '{credential:heartbeat-url}', frequency: 'every 1 minute' },
    })
    const { host, io } = scene()
    expect(await runInstall(options({ print: true }), io, host)).toBe(0)
    expect(io.printed.out).toContain('LoadCredential=heartbeat-url:/etc/credstore/heartbeat-url')
  })
})

test('variables that only the service has are named', async () => {
  configure({ heartbeat: { enable: true, remoteURL: '$' + '{env:FOOTMAN_TEST_NOT_SET}', frequency: 'every 1 minute' } })
  const { host, io } = scene()
  expect(await runInstall(options({ print: true }), io, host)).toBe(0)
  expect(io.printed.out).toContain('  Environment=FOOTMAN_TEST_NOT_SET=VALUE')
})

describe('install refuses', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['a name with a slash', { name: '../x' }, '--name ../x'],
    ['a user that is none', { user: 'a b' }, '--user a b'],
    ['what is for Windows', { taskScheduler: true }, '--winsw, --task-scheduler and --nssm: are for Windows'],
    ['a configuration that is not there', { configfile: 'nowhere.yaml' }, 'the service would not start'],
  ])('%s, with exit code 1', async (_, more, message) => {
    const { host, io } = scene()
    expect(await runInstall(options(more), io, host)).toBe(1)
    expect(io.printed.err).toStartWith('error: ')
    expect(io.printed.err).toContain(message)
    expect(host.calls).toEqual([])
  })

  test('a wrong configuration, with its problems and exit code 1', async () => {
    configure({ restServerConfig: { enable: true, serverPort: 99999 } })
    const { host, io } = scene()
    expect(await runInstall(options(), io, host)).toBe(1)
    expect(io.printed.err).toContain('Butler.restServerConfig.serverPort')
    expect(existsSync(unitFile())).toBe(false)
  })

  test('a program that systemd cannot start, with exit code 1', async () => {
    const { io } = scene()
    const host = { ...scene().host, execPath: folder.join('"footman"') }
    expect(await runInstall(options(), io, host)).toBe(1)
    expect(io.printed.err).toContain('systemd runs no program whose path has quotes')
  })

  test('a unit of somebody else, with exit code 2', async () => {
    writeFileSync(unitFile(), '[Service]\nExecStart=/bin/true\n')
    const { host, io } = scene()
    expect(await runInstall(options(), io, host)).toBe(2)
    expect(io.printed.err).toContain('was not written by Footman and is left alone')
    expect(readFileSync(unitFile(), 'utf8')).toBe('[Service]\nExecStart=/bin/true\n')
  })

  test.each<[string, Answer, string]>([
    ['refuses', { code: 1, stderr: 'System has not been booted with systemd' }, 'has not been booted with systemd'],
    ['is missing', 'missing', 'cannot be started: ENOENT'],
    ['hangs', 'hangs', 'did not answer within 60 s'],
  ])('when systemctl %s, with exit code 2', async (_, answer, message) => {
    const { host, io } = scene([['systemctl', answer]])
    expect(await runInstall(options(), io, host)).toBe(2)
    expect(io.printed.err).toStartWith('error: systemctl daemon-reload: ')
    expect(io.printed.err).toContain(message)
  })

  test('another operating system', async () => {
    const host = recordedHost({ platform: 'darwin', cwd: folder.path, execPath: '/x/footman' })
    const io = recordedIo()
    expect(await runInstall(options(), io, host)).toBe(1)
    expect(io.printed.err).toContain('not on darwin')
  })
})

describe('uninstall', () => {
  test('stops the service and removes its unit, nothing else', async () => {
    mkdirSync(folder.join('data'))
    await runInstall(options(), recordedIo(), scene().host)
    const { host, io } = scene([['systemctl reset-failed', { code: 1 }]])
    expect(await runUninstall({ directory: folder.join('units') }, io, host)).toBe(0)
    expect(host.calls).toEqual([
      'systemctl disable --now footman.service',
      'systemctl daemon-reload',
      'systemctl reset-failed footman.service',
    ])
    expect(existsSync(unitFile())).toBe(false)
    expect(existsSync(folder.join('data'))).toBe(true)
    expect(io.printed.out).toContain('data, logs and the account are still there')
  })

  test('of what is not there ends with 3', async () => {
    const { host, io } = scene()
    expect(await runUninstall({ directory: folder.join('units') }, io, host)).toBe(3)
    expect(io.printed.err).toContain('error: service footman: not installed')
    expect(host.calls).toEqual([])
  })
})

const SHOW = `LoadState=loaded
ActiveState=active
SubState=running
MainPID=4711
UnitFileState=enabled
StatusText=Running: REST API on 0.0.0.0:8080, UDP on 0.0.0.0:9998
Result=success
ExecMainStatus=0
NRestarts=2
FragmentPath=/etc/systemd/system/footman.service
`

describe('status', () => {
  test('of a running service', async () => {
    const { host, io } = scene([['systemctl show footman.service', { stdout: SHOW }]])
    expect(await runStatus({}, io, host)).toBe(0)
    expect(io.printed.out).toBe(
      [
        'service                 footman',
        'manager                 systemd',
        'state                   active (running)',
        'starts with the machine yes',
        'process                 4711',
        'says                    Running: REST API on 0.0.0.0:8080, UDP on 0.0.0.0:9998',
        'last result             success',
        'last exit code          0',
        'restarts                2',
        'unit                    /etc/systemd/system/footman.service',
        '',
      ]
        .join('\n')
        .replaceAll(/^(.{23}) /gm, '$1  '),
    )
  })

  test('as JSON', async () => {
    const { host, io } = scene([['systemctl', { stdout: SHOW }]])
    expect(await runStatus({ json: true }, io, host)).toBe(0)
    expect(JSON.parse(io.printed.out)).toMatchObject({
      name: 'footman',
      manager: 'systemd',
      installed: true,
      running: true,
      enabled: true,
      pid: 4711,
      state: 'active (running)',
    })
  })

  test.each([
    ['failed', 'failed'],
    ['inactive', 'dead'],
    ['activating', 'auto-restart'],
  ])('%s ends with 3', async (active, sub) => {
    const stdout = SHOW.replace('=active', `=${active}`).replace('=running', `=${sub}`)
    const { host, io } = scene([['systemctl', { stdout }]])
    expect(await runStatus({}, io, host)).toBe(3)
    expect(io.printed.out).toContain(`${active} (${sub})`)
  })

  test('of what is not installed ends with 3', async () => {
    const { host, io } = scene([['systemctl', { stdout: 'LoadState=not-found\nActiveState=inactive\n' }]])
    expect(await runStatus({ json: true }, io, host)).toBe(3)
    expect(JSON.parse(io.printed.out)).toMatchObject({ installed: false, running: false, state: 'not installed' })
  })

  test('without systemd ends with 2', async () => {
    const { host, io } = scene([['systemctl', { code: 1, stderr: 'Failed to connect to bus' }]])
    expect(await runStatus({}, io, host)).toBe(2)
    expect(io.printed.err).toBe('error: systemctl show: Failed to connect to bus\n')
  })
})

test.each([
  [{ lines: 50 }, 'journalctl --unit footman.service --lines 50 --output short-iso --no-pager'],
  [
    { lines: 5, follow: true, name: 'other' },
    'journalctl --unit other.service --lines 5 --output short-iso --no-pager --follow',
  ],
])('logs %p', async (given, call) => {
  const { host, io } = scene()
  expect(await runLogs(given, io, host)).toBe(0)
  expect(host.calls).toEqual([call])
})

/** The exposure from which systemd calls a service "medium" is 5; a service without a sandbox has 9.6. */
const MOST_EXPOSURE = 2.5

describe('systemd', () => {
  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' })

  async function installed(): Promise<string> {
    mkdirSync(folder.join('bin'))
    // What is started must be there.
    writeFileSync(folder.join('bin', 'foot man 100% $x & co'), '#!/bin/sh\n', { mode: 0o755 })
    configure({ logDirectory: folder.join('l "o" & g'), restServerConfig: { enable: true, serverPort: 443 } })
    const host = { ...scene().host, execPath: folder.join('bin', 'foot man 100% $x & co') }
    expect(await runInstall(options({ user: 'root' }), recordedIo(), host)).toBe(0)
    return unitFile()
  }

  test('understands the unit and all its paths', async () => {
    const { status, stderr } = analyze('verify', await installed())
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  test(`finds little exposed`, async () => {
    const { status, stdout, stderr } = analyze(
      'security',
      '--offline=true',
      '--no-pager',
      `--threshold=${MOST_EXPOSURE * 10}`,
      await installed(),
    )
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/Overall exposure level for footman\.service: \d/)
  })
})
