/** What `footman service install` lets the account do on Linux, in layouts that are made to go wrong. Nothing is run. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { isSystemFolder } from '../../../../src/cli/service/folders.ts'
import { runInstall } from '../../../../src/cli/service/install.ts'
import { type Answer, recordedHost, recordedIo } from '../../../support/service-host.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

let folder: TempDirectory
beforeEach(() => {
  folder = tempDirectory()
  chmodSync(folder.path, 0o755)
})
afterEach(() => folder.remove())

/** A file, with the folders on its way. */
function file(name: string, mode = 0o644, text = ''): string {
  const path = folder.join(...name.split('/'))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

const configuration = (butler: object, mode = 0o644) =>
  file('config/footman.yaml', mode, JSON.stringify({ Butler: { ...butler } }))

const NO_ACL = [['setfacl', 'missing'] as const]

async function install(answers: readonly (readonly [string, Answer])[] = [], options = {}) {
  const host = recordedHost({ platform: 'linux', cwd: folder.path, execPath: folder.join('footman'), answers })
  const io = recordedIo()
  const given = { configfile: 'config/footman.yaml', directory: folder.join('units'), start: false, ...options }
  const code = await runInstall(given, io, host)
  return { code, calls: host.calls, out: io.printed.out, err: io.printed.err }
}

/** Only what changes something. */
const changes = (calls: readonly string[]) =>
  calls.filter((call) => /^(setfacl -m|chgrp|chmod|chown|install) /.test(call))

const FAILING_WRITE = [['runuser -u footman -- test -w', { code: 1 }] as const]

describe('data and log folder', () => {
  test.each([
    '/',
    '/etc',
    '/etc/',
    '/usr/../etc',
    '/root',
    '/home/anna',
    '/var/lib',
    '/usr/lib/footman',
    '/dev/shm',
    '/etc/ssl/private',
  ])('%s is refused with exit code 1', async (dataDirectory) => {
    configuration({ footman: { dataDirectory } })
    const { code, err, calls } = await install()
    expect(code).toBe(1)
    expect(err).toContain('error: Butler.footman.dataDirectory: ')
    expect(err).toContain('is a folder of the system or of a person')
    expect(changes(calls)).toEqual([])
  })

  test('a link to one as well', async () => {
    symlinkSync('/etc', folder.join('log'))
    configuration({ fileLogging: true, logDirectory: folder.join('log') })
    const { code, err } = await install()
    expect(code).toBe(1)
    expect(err).toContain(`Butler.logDirectory: ${folder.join('log')} leads to /etc, which is a folder of the system`)
  })

  test.each<[string, () => void, string]>([
    ['a link', () => symlinkSync('/etc/shadow', folder.join('config', 'data', 'footman.db-wal')), 'footman.db-wal'],
    ['a second name of another file', () => linkSync(file('x'), folder.join('config/data/local.key')), 'local.key'],
    ['a file of somebody', () => file('config/data/invoice.pdf'), 'invoice.pdf'],
    ['a folder of somebody', () => file('config/data/mine/x'), 'mine'],
    ['a folder with the name of a file', () => mkdirSync(folder.join('config/data/journal.db')), 'journal.db'],
    [
      'a link in a folder of Footman',
      () => {
        file('config/data/backup/footman-1.db')
        symlinkSync('/etc', folder.join('config/data/backup/footman-2.db'))
      },
      'backup/footman-2.db',
    ],
    [
      'a link in a snapshot of apps',
      () => {
        file('config/data/appdump/nightly/2026-11-21T06-00-00/index.json')
        symlinkSync('/etc/shadow', folder.join('config/data/appdump/nightly/2026-11-21T06-00-00/a.json'))
      },
      'appdump/nightly/2026-11-21T06-00-00/a.json',
    ],
  ])('that holds %s keeps its owner, which is told', async (_, make, name) => {
    configuration({})
    file('config/data/footman.db')
    make()
    const { code, err, calls } = await install(FAILING_WRITE)
    expect(code).toBe(0)
    expect(changes(calls)).toEqual([])
    expect(err).toContain(`It holds ${folder.join('config', 'data', ...name.split('/'))}, which is not Footman's,`)
    expect(err).toContain('name another one in Butler.footman.dataDirectory')
  })

  test('that is a link keeps its owner', async () => {
    mkdirSync(folder.join('elsewhere'))
    configuration({ footman: { dataDirectory: folder.join('data') } })
    symlinkSync(folder.join('elsewhere'), folder.join('data'))
    const { calls, err } = await install(FAILING_WRITE)
    expect(changes(calls)).toEqual([])
    expect(err).toContain(`footman cannot write in ${folder.join('data')}. It leads elsewhere`)
  })

  test('with the configuration in it keeps its owner', async () => {
    configuration({ footman: { dataDirectory: '.' } })
    expect(changes((await install()).calls)).toEqual([])
  })

  test("with everything that Footman makes becomes the account's, links left alone", async () => {
    configuration({ fileLogging: true, logDirectory: folder.join('log') })
    for (const name of ['footman.db', 'footman.db-wal', 'footman.db-shm', 'footman.db-layout', 'journal.db']) {
      file(`config/data/${name}`)
    }
    for (const name of ['footman.lock', 'footman.reserve', 'local.key', 'backup/footman-0.1.0-20261121.db'])
      file(`config/data/${name}`)
    for (const name of ['a.json', 'nightly/2026-11-21T06-00-00/index.json', 'nightly/.run.partial/b.json']) {
      file(`config/data/appdump/${name}`)
    }
    file('log/butler.2026-11-21.log')
    file('log/butler.2026-11-21.1.log')
    expect(changes((await install()).calls)).toEqual([
      `chown -hR footman: ${folder.join('config', 'data')}`,
      `chown -hR footman: ${folder.join('log')}`,
    ])
  })
})

describe('a configuration that init wrote', () => {
  const secret = '$' + '{file:secrets/password}'

  beforeEach(() => {
    configuration({ heartbeat: { enable: false, remoteURL: secret, frequency: 'every 1 minute' } }, 0o600)
    file('config/secrets/password', 0o600, 'https://h.example/x')
    chmodSync(folder.join('config'), 0o750)
  })

  test('is opened for reading, with the folders on the way, and nothing more', async () => {
    const [config, data] = [folder.join('config'), folder.join('config', 'data')]
    expect(changes((await install()).calls)).toEqual([
      `setfacl -m u:footman:x ${config}`,
      `install -d -m 0750 -o footman -g footman ${data}`,
      `setfacl -m u:footman:r ${folder.join('config', 'footman.yaml')}`,
      `setfacl -m u:footman:r ${folder.join('config', 'secrets', 'password')}`,
    ])
  })

  test.skipIf(process.getuid?.() !== 0)('without access control lists by the group of the account', async () => {
    const answers = [...NO_ACL, ['id -u', { code: 1 }] as const]
    const [config, yaml] = [folder.join('config'), folder.join('config', 'footman.yaml')]
    expect(changes((await install(answers)).calls).slice(0, 5)).toEqual([
      `chmod g=x ${config}`,
      `chgrp footman ${config}`,
      `install -d -m 0750 -o footman -g footman ${folder.join('config', 'data')}`,
      `chmod g=r ${yaml}`,
      `chgrp footman ${yaml}`,
    ])
  })

  test('stays closed where the account shares its group with others', async () => {
    const answers = [...NO_ACL, ['id -gn', { stdout: 'users\n' }] as const, ['runuser', { code: 1 }] as const]
    const { calls, err, code } = await install(answers)
    expect(code).toBe(0)
    expect(changes(calls).filter((call) => !call.startsWith('install'))).toEqual([])
    expect(err).toContain(
      `warning: footman cannot read ${folder.join('config', 'footman.yaml')}: let it in with setfacl`,
    )
  })

  test('a link in its place is not followed', async () => {
    symlinkSync(file('elsewhere', 0o600, '{"Butler": {}}'), folder.join('link.yaml'))
    const { calls } = await install([], { configfile: 'link.yaml' })
    expect(changes(calls).filter((call) => call.includes('u:footman:r '))).toEqual([])
    expect(calls).toContain(`runuser -u footman -- test -r ${folder.join('link.yaml')}`)
  })
})

test('certificates are opened file by file', async () => {
  const cert = ['client.pem', 'client_key.pem', 'root.pem'].map((name) => file(`certificate/${name}`, 0o600))
  const [clientCert, clientCertKey, clientCertCA] = cert
  configuration({ cert: { clientCert, clientCertKey, clientCertCA }, configQRS: { host: 'qs.acme.example' } })
  chmodSync(folder.join('certificate'), 0o700)
  const opened = changes((await install()).calls).filter((call) => call.startsWith('setfacl'))
  expect(opened).toEqual([
    `setfacl -m u:footman:x ${folder.join('certificate')}`,
    ...cert.map((path) => `setfacl -m u:footman:r ${path}`),
  ])
})

describe('the schedule file', () => {
  const scheduler = (configfile: string) => configuration({ scheduler: { enable: true, configfile } })

  test('in a folder of its own: the account may replace it', async () => {
    scheduler(file('schedules/schedule.yaml'))
    expect(changes((await install()).calls)).toContain(`setfacl -m u:footman:rwx ${folder.join('schedules')}`)
  })

  test('beside the configuration, which the account could replace too: it is told', async () => {
    scheduler(file('config/schedule.yaml'))
    const { calls, err } = await install(FAILING_WRITE)
    expect(changes(calls).filter((call) => call.includes('rwx'))).toEqual([])
    expect(err).toContain('Give it a folder of its own in Butler.scheduler.configfile')
  })

  test('in a folder of the system: that stays closed', async () => {
    scheduler('/etc/schedule.yaml')
    const { out } = await install([], { print: true })
    expect(out).not.toMatch(/^ReadWritePaths=-\/etc$/m)
    expect(out).toContain('/etc is a folder of the system or of a person: the service may not write there')
  })
})

test('approved directories of the system stay closed; the others are opened', async () => {
  symlinkSync('/usr', folder.join('link'))
  configuration({ fileDeleteApprovedDirectories: ['/var/lib', folder.join('link'), '/srv/qvd'] })
  const { out } = await install([], { print: true })
  const opened = [...out.matchAll(/^ReadWritePaths=-(.*)$/gm)].map(([, path]) => path)
  expect(opened).toEqual([folder.join('config', 'data'), '/srv/qvd'])
  expect(out).toContain('/var/lib is a folder of the system')
  expect(out).toContain(`${folder.join('link')} is a folder of the system`)
})

test('credentials in comments are none', async () => {
  file('config/footman.yaml', 0o644, `Butler:\n  #x: '$\{credential:old}'\n  logLevel: info\n`)
  expect((await install([], { print: true })).out).not.toContain('LoadCredential')
})

test('a service that does not start: what it says and what to do, and it can be called again', async () => {
  configuration({})
  const refusal = { code: 1, stderr: 'Job for footman.service failed' }
  const { code, err } = await install([['systemctl restart', refusal]], { start: true })
  expect(code).toBe(2)
  expect(err).toContain('Job for footman.service failed\nThe service is installed and does not start')
  expect((await install([], { start: true })).code).toBe(0)
})

test.each([
  ['/srv/footman', false],
  ['/var/lib/footman', false],
  ['/opt/footman/data', false],
  ['/usr/local/footman/data', false],
  ['/data', false],
  [`/${'home'}/anna/footman/data`, false],
  ['/mnt/share', false],
  ['/usr/local', true],
  ['/lib64/x', true],
  ['/run/user/1000', true],
])('%s: a folder of the system? %p', (path, expected) => expect(isSystemFolder(path)).toBe(expected))
