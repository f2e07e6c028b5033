/** Whom connections to PostgreSQL trust, under each runtime. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PostgresSettings } from '../../../../src/platform/postgres/types.ts'
import { certificatePair, clientPair } from '../../../support/certificates.ts'
import { denoExecutable } from '../../../support/deno.ts'
import { type Postgres, ROLE, startPostgres } from '../../../support/postgres.ts'
import { poolSettings } from '../../../support/postgres-pool.ts'
import { type ProbeOutcome, probe } from '../../../support/postgres-probe.ts'
import { needs } from '../../../support/servers.ts'
import { repositoryRoot } from '../../../support/source.ts'
import { tempDirectory } from '../../../support/temp.ts'

needs('postgres')

const PROBE = join(repositoryRoot, 'test/support/postgres-probe.ts')
const NAME = 'pg.acme.example'

interface Servers {
  /** Has a certificate for a name. */
  readonly named: Postgres
  /** Has a certificate for its address. */
  readonly byAddress: Postgres
  readonly plain: Postgres
}

interface Case {
  readonly what: string
  readonly settings: (servers: Servers) => PostgresSettings
  readonly result: ProbeOutcome['result']
  readonly text?: RegExp
}

const CASES: readonly Case[] = [
  {
    what: 'authority and address are right',
    settings: ({ byAddress }) => poolSettings(byAddress),
    result: 'ok',
  },
  {
    what: 'authority and name are right, found at an address',
    settings: ({ named }) => poolSettings(named, { tls: { serverName: NAME } }),
    result: 'ok',
  },
  {
    what: 'another authority',
    settings: ({ named, byAddress }) => poolSettings(byAddress, { tls: { ca: named.ca } }),
    result: 'refused',
    text: /certificate/i,
  },
  {
    what: 'the authorities of the system',
    settings: ({ byAddress }) => poolSettings(byAddress, { tls: { ca: '' } }),
    result: 'refused',
    text: /certificate/i,
  },
  {
    what: 'another name',
    settings: ({ named }) => poolSettings(named, { tls: { serverName: 'pg.other.example' } }),
    result: 'refused',
    text: /pg\.other\.example/,
  },
  {
    what: 'an address that the certificate does not have',
    settings: ({ named }) => poolSettings(named),
    result: 'refused',
    text: /127\.0\.0\.1/,
  },
  {
    what: 'a host name that the certificate does not have',
    settings: ({ named }) => poolSettings(named, { hosts: [{ host: 'localhost', port: named.port }] }),
    result: 'refused',
    text: /localhost/,
  },
  {
    what: 'a server without TLS',
    settings: ({ plain }) => poolSettings(plain),
    result: 'refused',
    text: /does not support SSL/,
  },
  {
    what: 'any name with verify-ca',
    settings: ({ named }) => poolSettings(named, { tls: { mode: 'verify-ca' } }),
    result: 'ok',
  },
  {
    what: 'another authority with verify-ca',
    settings: ({ named, byAddress }) => poolSettings(named, { tls: { mode: 'verify-ca', ca: byAddress.ca } }),
    result: 'refused',
    text: /certificate/i,
  },
  {
    what: 'no TLS where that is wanted',
    settings: ({ plain }) => poolSettings(plain, { tls: { mode: 'off' } }),
    result: 'ok',
  },
  {
    what: 'a wrong password',
    settings: ({ byAddress }) => poolSettings(byAddress, { password: 'geheim-wrong' }),
    result: 'refused',
    text: /password authentication failed/,
  },
  {
    what: 'no password',
    settings: ({ byAddress }) => poolSettings(byAddress, { password: '' }),
    result: 'refused',
    text: /password/,
  },
  {
    what: 'another database',
    settings: ({ byAddress }) => poolSettings(byAddress, { database: 'other' }),
    result: 'refused',
    text: /"other" does not exist/,
  },
  {
    what: 'an authority that is not there',
    settings: ({ byAddress }) => poolSettings(byAddress, { tls: { ca: '/nowhere/ca.pem' } }),
    result: 'refused',
    text: /\/nowhere\/ca\.pem/,
  },
]

describe('TLS of PostgreSQL', () => {
  let servers: Servers

  beforeAll(async () => {
    const [named, byAddress, plain] = await Promise.all([
      startPostgres({ certificate: await certificatePair(NAME) }),
      startPostgres(),
      startPostgres({ tls: false }),
    ])
    servers = { named, byAddress, plain }
  }, 60_000)
  afterAll(() => Promise.all(Object.values(servers).map((server: Postgres) => server.stop())))

  function check(outcomes: readonly ProbeOutcome[]): void {
    const found = outcomes.map(({ result }, index) => `${CASES[index]?.what}: ${result}`)
    expect(found).toEqual(CASES.map(({ what, result }) => `${what}: ${result}`))
    for (const [index, { text = '', isEncrypted }] of outcomes.entries()) {
      const expected = CASES[index]!
      if (expected.text) expect(text).toMatch(expected.text)
      if (isEncrypted !== undefined) expect(isEncrypted).toBe(!expected.what.startsWith('no TLS'))
      // Neither the right password nor a wrong one.
      expect(text).not.toContain('geheim')
    }
  }

  /** Runs the probe with another program. */
  function probeWith(command: string, args: readonly string[]): ProbeOutcome[] {
    const all = JSON.stringify(CASES.map(({ settings }) => settings(servers)))
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' }
    const { stdout, stderr, status } = spawnSync(command, [...args, all], {
      cwd: repositoryRoot,
      env,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`${command} failed: ${stderr}`)
    expect(stderr).not.toContain('geheim')
    return JSON.parse(stdout) as ProbeOutcome[]
  }

  test('is verified under Bun', async () => {
    check(await Promise.all(CASES.map(({ settings }) => probe(settings(servers)))))
  }, 60_000)

  const deno = denoExecutable()
  test.skipIf(deno === null)(
    'is verified under Deno',
    () => check(probeWith(deno!, ['run', '--no-lock', '--cached-only', '--allow-all', PROBE])),
    60_000,
  )

  test('is verified in a compiled executable', async () => {
    await using folder = tempDirectory()
    const outfile = folder.join('probe')
    const args = ['build', '--compile', '--minify', '--bytecode', '--format=esm', PROBE, '--outfile', outfile]
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    check(probeWith(outfile, []))
  }, 120_000)

  test('the server learns no password before it is verified', async () => {
    const { named, plain } = servers
    for (const settings of [
      poolSettings(named, { password: 'geheim-probe' }),
      poolSettings(plain, { password: 'geheim-probe' }),
    ]) {
      expect((await probe(settings)).result).toBe('refused')
    }
    // A wrong password that had arrived would be in the log of the server.
    expect(`${named.log()}${plain.log()}`).not.toContain('password authentication failed')
  })

  test('the environment and files of the account are not asked for a password', async () => {
    const before = process.env.PGPASSWORD
    process.env.PGPASSWORD = ROLE.password
    try {
      expect((await probe(poolSettings(servers.byAddress, { password: '' }))).result).toBe('refused')
    } finally {
      if (before === undefined) delete process.env.PGPASSWORD
      else process.env.PGPASSWORD = before
    }
  })

  test('a renewed authority is used without a restart', async () => {
    await using folder = tempDirectory()
    const ca = folder.join('ca.pem')
    copyFileSync(servers.named.ca, ca)
    const settings = poolSettings(servers.byAddress, { tls: { ca } })
    expect((await probe(settings)).result).toBe('refused')
    copyFileSync(servers.byAddress.ca, ca)
    expect((await probe(settings)).result).toBe('ok')
  })

  test('a client certificate takes the place of the password', async () => {
    await using folder = tempDirectory()
    chmodSync(folder.path, 0o755)
    const client = await clientPair(ROLE.user)
    const file = (name: string, text: string) => {
      const path = folder.join(name)
      writeFileSync(path, text)
      chmodSync(path, 0o644)
      return path
    }
    const certificate = file('client.pem', client.cert)
    const key = file('client-key.pem', client.key)
    await using server = await startPostgres({
      settings: {
        ssl_ca_file: file('client-ca.pem', client.ca),
        hba_file: file(
          'hba',
          `hostssl all ${ROLE.user} 127.0.0.1/32 cert\nhost all postgres 127.0.0.1/32 scram-sha-256\n`,
        ),
      },
    })
    const settings = poolSettings(server, { password: '', tls: { certificate, key } })
    expect((await probe(settings)).result).toBe('ok')
    const without = await probe(poolSettings(server, { password: '' }))
    expect(without.result).toBe('refused')
    expect(without.text).toContain('certificate')
  }, 60_000)
})
