import { afterEach, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { MIGRATIONS } from '../../../../src/app/migrations.ts'
import { lockDirectory } from '../../../../src/platform/lock.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { storageMigrations } from '../../../../src/platform/storage/note.ts'
import { certificatePair } from '../../../support/certificates.ts'
import { canMount, smallDisk } from '../../../support/disks.ts'
import { codes, diagnose } from '../../../support/doctor.ts'
import { freeTcpPort, freeUdpPort } from '../../../support/ports.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

const cleanup: (() => void)[] = []
afterEach(() => {
  for (const one of cleanup.splice(0).reverse()) one()
})

function folder(): TempDirectory {
  const directory = tempDirectory()
  cleanup.push(() => directory.remove())
  return directory
}

const data = (dataDirectory: string) => ({ footman: { dataDirectory } })

/** A small disk, until the end of the test. */
function mountSmall(path: string, size: string): void {
  cleanup.push(smallDisk(path, size))
}

describe('the data directory', () => {
  const only = ['data-directory']

  test('is usable, or is made at the start; the look leaves nothing behind', async () => {
    const directory = folder()
    mkdirSync(directory.join('there'))
    const there = await diagnose(data(directory.join('there')), { only })
    expect([codes(there)[0], there.code]).toEqual([expect.stringMatching(/^data-directory\.(writable|disk-low)$/), 0])
    expect(readdirSync(directory.join('there'))).toEqual([])
    const later = await diagnose(data(directory.join('a/b')), { only })
    expect(later.findings).toEqual([expect.objectContaining({ message: 'is made at the start' })])
    expect(existsSync(directory.join('a'))).toBe(false)
  })

  test('is a file', async () => {
    const directory = folder()
    writeFileSync(directory.join('data'), '')
    const found = await diagnose(data(directory.join('data')), { only })
    expect([codes(found), found.code]).toEqual([['data-directory.not-writable'], 1])
  })

  test.if(canMount)('is read-only', async () => {
    const directory = folder()
    mountSmall(directory.join('disk'), '1m')
    spawnSync('mount', ['-o', 'remount,ro', directory.join('disk')])
    for (const path of ['disk', 'disk/new']) {
      const found = await diagnose(data(directory.join(path)), { only })
      expect(found.findings).toEqual([
        expect.objectContaining({
          code: 'data-directory.not-writable',
          fix: expect.stringContaining('mount it writable'),
        }),
      ])
    }
  })

  test.if(canMount)('has little room', async () => {
    const directory = folder()
    mountSmall(directory.join('full'), '8m')
    mountSmall(directory.join('low'), '300m')
    const full = await diagnose(data(directory.join('full')), { only })
    expect([codes(full), full.code]).toEqual([['data-directory.full'], 3])
    const low = await diagnose(data(directory.join('low')), { only })
    expect([codes(low), low.code]).toEqual([['data-directory.disk-low', 'data-directory.writable'], 0])
    expect(low.findings[0]!.fix).toContain('Butler.footman.dataDirectory')
  })

  test('is in use by a running Footman, which is as it should be', async () => {
    const directory = folder()
    const lock = lockDirectory(directory.path)
    try {
      const { findings } = await diagnose(data(directory.path), { only })
      expect(findings.at(-1)).toMatchObject({ level: 'ok', message: expect.stringContaining(`process ${process.pid}`) })
    } finally {
      lock.release()
    }
    const { findings } = await diagnose(data(directory.path), { only })
    expect(findings.at(-1)).toMatchObject({ level: 'ok', message: 'can be written' })
  })

  test('was written by a newer Footman, or is no database', async () => {
    const directory = folder()
    const db = new DatabaseSync(directory.join('footman.db'))
    db.exec('CREATE TABLE schema_migration (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL) WITHOUT ROWID')
    db.exec("INSERT INTO schema_migration VALUES ('9999-from-the-future', '2030-01-01T00:00:00Z')")
    db.close()
    writeFileSync(directory.join('journal.db'), 'no database at all, but long enough to be looked at. '.repeat(40))
    const found = await diagnose(data(directory.path), { only })
    expect(codes(found).slice(-2)).toEqual(['data-directory.newer', 'data-directory.database'])
    expect(found.code).toBe(3)
    expect(found.findings.at(-2)!.fix).toContain('there is no backup')
    mkdirSync(directory.join('backup'))
    const backup = directory.join('backup', 'footman-0.0.9-20260101T000000000Z.db')
    openDatabase(backup, { migrations: MIGRATIONS.slice(0, 2) }).close()
    const again = await diagnose(data(directory.path), { only })
    expect(again.findings.at(-2)!.fix).toContain(`put its backup ${backup} in the place`)
  })

  test('is left as it is: the files of a reader would keep another account out', async () => {
    const directory = folder()
    const file = directory.join('footman.db')
    openDatabase(file, { migrations: [...MIGRATIONS, ...storageMigrations] }).close()
    const before = readdirSync(directory.path)
    const butler = { ...data(directory.path), udpServerConfig: { enable: true, portTaskFailure: await freeUdpPort() } }
    const found = await diagnose(butler, { only: [...only, 'udp'] })
    expect(found.code).toBe(0)
    expect(readdirSync(directory.path)).toEqual(before)
    // What stands in its log only is read too.
    const db = openDatabase(file)
    db.run("INSERT INTO schema_migration VALUES ('9999-from-the-future', '2030-01-01T00:00:00Z')")
    expect(codes(await diagnose(data(directory.path), { only }))).toContain('data-directory.newer')
    db.close()
  })

  test.if(canMount)('holds files of two accounts', async () => {
    const directory = folder()
    writeFileSync(directory.join('footman.db'), '')
    spawnSync('chown', ['12345', directory.path])
    const { findings } = await diagnose(data(directory.path), { only })
    expect(findings.at(-1)).toMatchObject({ level: 'warning', code: 'data-directory.mixed-owners' })
  })
})

test('a log directory that cannot be written', async () => {
  const directory = folder()
  writeFileSync(directory.join('log'), '')
  const config = (logDirectory: string) => ({ fileLogging: true, logDirectory })
  const only = ['log-directory']
  expect(codes(await diagnose(config(directory.join('log')), { only }))).toEqual(['log-directory.not-writable'])
  expect(codes(await diagnose(config(directory.join('new')), { only }))).toEqual(['log-directory.writable'])
})

describe('ports', () => {
  const only = ['ports']
  const rest = (serverPort: number, more = {}) => ({
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort },
    ...more,
  })

  test('that are free', async () => {
    const found = await diagnose(rest(await freeTcpPort()), { only })
    expect([codes(found), found.code]).toEqual([['ports.free'], 0])
  })

  test('that somebody else has, who is named', async () => {
    const server = createServer()
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    cleanup.push(() => void server.close())
    const { port } = server.address() as AddressInfo
    // Held by the program of the tests, in which the doctor runs, too: so it is asked from outside.
    const directory = folder()
    writeFileSync(directory.join('butler.yaml'), JSON.stringify({ Butler: rest(port, data(directory.join('data'))) }))
    const { stdout, status } = await doctorProcess(['-c', directory.join('butler.yaml'), '--only', 'ports'])
    expect(status).toBe(3)
    const { findings } = JSON.parse(stdout) as { findings: unknown[] }
    expect(findings).toEqual([
      {
        level: 'error',
        code: 'ports.in-use',
        target: `TCP 127.0.0.1:${port}`,
        message:
          process.platform === 'linux'
            ? expect.stringContaining(`(process ${process.pid})`)
            : expect.stringContaining('in use by'),
        fix: expect.stringContaining('Butler.restServerConfig.serverPort'),
        key: 'restServerConfig.serverPort',
      },
    ])
    // The same, once this process holds the lock of the data directory, is the running Footman.
    mkdirSync(directory.join('data'))
    const lock = lockDirectory(directory.join('data'))
    try {
      const own = await doctorProcess(['-c', directory.join('butler.yaml'), '--only', 'ports'])
      expect(own.status).toBe(0)
      expect(own.stdout).toContain('ports.ours')
    } finally {
      lock.release()
    }
  })
})

async function doctorProcess(args: readonly string[]) {
  const running = Bun.spawn([process.execPath, 'src/main.ts', 'doctor', '--json', '--no-qs-connection', ...args], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const stdout = await new Response(running.stdout).text()
  return { stdout, status: await running.exited }
}

describe('certificates of Footman', () => {
  const only = ['key-pairs']
  const tls = (cert: string, key: string) => ({
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: 8080, tls: { enable: true, cert, key } },
  })

  test('that fit, end soon, are over, or belong to another key', async () => {
    const directory = folder()
    const write = async (name: string, days: number) => {
      const pair = await certificatePair('127.0.0.1', { days })
      writeFileSync(directory.join(`${name}.pem`), pair.cert)
      writeFileSync(directory.join(`${name}-key.pem`), pair.key)
    }
    await Promise.all([write('good', 90), write('ending', 5), write('over', -1)])
    const look = async (cert: string, key: string) =>
      codes(await diagnose(tls(directory.join(`${cert}.pem`), directory.join(`${key}.pem`)), { only }))
    expect(await look('good', 'good-key')).toEqual(['key-pairs.valid'])
    expect(await look('ending', 'ending-key')).toEqual(['key-pairs.ending'])
    expect(await look('over', 'over-key')).toEqual(['key-pairs.expired'])
    expect(await look('good', 'over-key')).toEqual(['key-pairs.mismatch'])
    expect(await look('good-key', 'good-key')).toEqual(['key-pairs.unreadable'])
  })
})

test.if(process.platform !== 'win32')('a key that everybody can read', async () => {
  const directory = folder()
  const pair = await certificatePair('127.0.0.1')
  writeFileSync(directory.join('cert.pem'), pair.cert)
  writeFileSync(directory.join('key.pem'), pair.key)
  const tls = { enable: true, cert: directory.join('cert.pem'), key: directory.join('key.pem') }
  const config = { restServerConfig: { enable: true, serverHost: '127.0.0.1', tls } }
  chmodSync(tls.key, 0o644)
  const open = await diagnose(config, { only: ['secrets'] })
  expect([codes(open), open.code]).toEqual([['secrets.readable'], 0])
  chmodSync(tls.key, 0o600)
  expect(codes(await diagnose(config, { only: ['secrets'] }))).toEqual(['secrets.private'])
})
