import { describe, expect, test } from 'bun:test'
import { isLive, partsConcerned } from '../../../../src/app/config/live.ts'
import { hostAndPort } from '../../../../src/cluster/config.ts'
import { leaseSettingsOf, postgresSettingsOf } from '../../../../src/cluster/settings.ts'
import { maskConfig } from '../../../../src/config/mask.ts'
import { configOf, linesOf, loadButler } from '../../../support/config.ts'

/** The section of a node that is one of several, on the second line of the file. */
const on = (keys: string, others = '') => `footman: {cluster: {enable: true, ${keys}}${others}}`
/** Problems without their places. */
const problemsOf = async (text: string) => (await linesOf(text)).map((line) => line.replace(/^\d+:\d+ /, ''))
const clusterOf = async (text: string) => (await configOf(loadButler(text))).footman.cluster

describe('Butler.footman.cluster', () => {
  test('has the defaults of a node on its own', async () => {
    expect(await clusterOf('logLevel: info')).toEqual({
      enable: false,
      hosts: [],
      database: 'footman',
      user: 'footman',
      password: '',
      schema: 'footman',
      tls: { mode: 'verify-full', ca: '', serverName: '', certificate: '', key: '' },
      connections: 4,
      connectTimeout: 3000,
      statementTimeout: 5000,
      leaseDuration: 6000,
      candidate: true,
      aloneAfter: 10_000,
      whenDatabaseDown: 'alert',
      dutiesWhenDatabaseDown: 'stop',
      commandTimeout: 15_000,
      reader: '',
      keepInbox: 86_400_000,
    })
  })

  const STARTS_NOT = '; Footman does not start'
  test.each<readonly [text: string, lines: readonly string[]]>([
    [on('hosts: [pg1.acme.example, "pg2.acme.example:5433"]'), []],
    [on('hosts: [127.0.0.1, localhost, "[::1]:5433", "::1"], tls: {mode: off}'), []],
    [on('hosts: [pg1], leaseDuration: 30s, aloneAfter: 30s'), []],
    // A node on its own may have anything prepared.
    ['footman: {cluster: {tls: {mode: off}}, keyValue: {persist: false}, shadow: true}', []],
    [
      on('host: pg1'),
      [
        `error Butler.footman.cluster.host: unknown key${STARTS_NOT}. Hint: did you mean hosts?`,
        `error Butler.footman.cluster.hosts: is empty${STARTS_NOT}. Hint: name the host of the PostgreSQL database`,
      ],
    ],
    [
      on('hosts: ["postgres://pg1"]'),
      [
        `error Butler.footman.cluster.hosts[0]: must be a host with or without its port, like pg1:5432, found "postgres://pg1"${STARTS_NOT}`,
      ],
    ],
    [
      on('hosts: [localhost, pg1], tls: {mode: off}'),
      [
        `error Butler.footman.cluster.tls.mode: is off, but pg1 is another machine${STARTS_NOT}. Hint: use verify-full, and give tls.ca the certificate authority of the server`,
      ],
    ],
    [
      on('hosts: [pg1], tls: {certificate: a.pem}'),
      [`error Butler.footman.cluster.tls.key: is missing; tls.certificate is of no use without it${STARTS_NOT}`],
    ],
    [
      on('hosts: [pg1], tls: {key: a.pem}'),
      [`error Butler.footman.cluster.tls.certificate: is missing; tls.key is of no use without it${STARTS_NOT}`],
    ],
    [
      on('hosts: [pg1], leaseDuration: 20s'),
      [`error Butler.footman.cluster.aloneAfter: must be at least leaseDuration (20s), found 10s${STARTS_NOT}`],
    ],
    [
      on('hosts: [pg1], keepInbox: 5m'),
      [
        `error Butler.footman.cluster.keepInbox: must be at least udpServerConfig.deduplication.ttlMinutes (10m), found 5m${STARTS_NOT}`,
      ],
    ],
    [
      on('hosts: [pg1]', ', keyValue: {persist: false}'),
      [
        `error Butler.footman.keyValue.persist: is false, but the nodes of a cluster share their key-value pairs${STARTS_NOT}. Hint: remove the line, or set footman.cluster.enable: false`,
      ],
    ],
    [
      on('hosts: [pg1]', ', shadow: true'),
      [
        `error Butler.footman.shadow: cannot be used in a cluster: a node in shadow mode could lead and send nothing${STARTS_NOT}. Hint: start it with footman.cluster.enable: false`,
      ],
    ],
    ...(['Footman', '1st', 'pg_footman', 'foot-man', 'a"; DROP TABLE node', `s${'x'.repeat(58)}`] as const).map(
      (schema): readonly [string, readonly string[]] => [
        on(`hosts: [pg1], schema: '${schema}'`),
        [
          `error Butler.footman.cluster.schema: must be a name of lower-case letters, digits and underscores (at most 58) that does not start with a digit or pg_, found "${schema}"${STARTS_NOT}`,
        ],
      ],
    ),
    [
      on('hosts: [pg1], reader: Qlik'),
      [
        `error Butler.footman.cluster.reader: must be a name of lower-case letters, digits and underscores (at most 63) that does not start with a digit or pg_, found "Qlik"${STARTS_NOT}`,
      ],
    ],
    [
      on('hosts: [pg1], connections: 1, statementTimeout: 2m'),
      [
        `error Butler.footman.cluster.connections: must be between 2 and 20, found 1${STARTS_NOT}`,
        `error Butler.footman.cluster.statementTimeout: must be between 1s and 1m, found "2m"${STARTS_NOT}`,
      ],
    ],
    [
      on('hosts: [pg1], password: 12'),
      [
        `error Butler.footman.cluster.password: must be a text, found **********${STARTS_NOT}. Hint: write "**********" in quotes`,
      ],
    ],
  ])('%s', async (text, lines) => {
    expect(await problemsOf(text)).toEqual([...lines])
  })

  test('shadow mode by option is refused too', async () => {
    expect(await linesOf(on('hosts: [pg1]'), { shadow: true })).toHaveLength(1)
  })

  test.each(['enable: false', 'ttlMinutes: 0'])('de-duplication (%s) counts as 10 minutes', async (key) => {
    const text = `${on('hosts: [pg1]')}\nudpServerConfig: {deduplication: {${key}}}`
    expect(await problemsOf(text)).toEqual([
      `warning Butler.udpServerConfig.deduplication.${key.split(':')[0]}: is ${key.split(' ')[1]}; it counts as 10 minutes, because nodes know one message from another by it. Hint: set enable: true and ttlMinutes: 10`,
    ])
    const { udpServerConfig } = await configOf(loadButler(text))
    expect(udpServerConfig.deduplication).toEqual({ enable: true, ttlMinutes: 10 })
  })

  test('the password comes from outside and is shown nowhere', async () => {
    const files = { 'db.txt': 'p4ss-of-the-database\n' }
    const result = await loadButler(on(`hosts: ['pg1:5433'], password: '$\{file:db.txt}'`), { files })
    const config = await configOf(Promise.resolve(result))
    expect(config.footman.cluster.password).toBe('p4ss-of-the-database')
    expect(result.secrets).toContain('p4ss-of-the-database')
    expect(result.hosts).toContain('pg1')
    expect(JSON.stringify(maskConfig(config))).not.toContain('p4ss')
  })

  test('three times change without a restart', () => {
    const live = ['aloneAfter', 'whenDatabaseDown', 'commandTimeout'].map((key) => `footman.cluster.${key}`)
    expect(live.map(isLive)).toEqual([true, true, true])
    expect(partsConcerned(live)).toEqual(['cluster'])
    const others = ['enable', 'hosts', 'password', 'tls.ca', 'leaseDuration', 'dutiesWhenDatabaseDown']
    expect(others.map((key) => isLive(`footman.cluster.${key}`))).toEqual(others.map(() => false))
  })
})

test.each([
  ['pg1', { host: 'pg1', port: 5432 }],
  ['pg1.acme.example:5433', { host: 'pg1.acme.example', port: 5433 }],
  ['10.1.2.3:1', { host: '10.1.2.3', port: 1 }],
  ['::1', { host: '::1', port: 5432 }],
  ['[fe80::1]:65535', { host: 'fe80::1', port: 65535 }],
  ['[::1]', { host: '::1', port: 5432 }],
  ['pg1:0', null],
  ['pg1:65536', null],
  ['[pg1]:5432', null],
  ['pg1:', null],
  ['', null],
  ['user@pg1', null],
])('the host %p is read', (written, expected) => {
  expect(hostAndPort(written)).toEqual(expected)
})

test('connections are made from the section', async () => {
  const section = await clusterOf(
    on('hosts: [pg1, "pg2:5433"], password: s, tls: {ca: ca.pem, serverName: pg.acme.example}, connectTimeout: 2s'),
  )
  const settings = postgresSettingsOf(section, { node: 'qs1', paths: { input: (path) => `/etc/footman/${path}` } })
  expect(settings).toEqual({
    hosts: [
      { host: 'pg1', port: 5432 },
      { host: 'pg2', port: 5433 },
    ],
    database: 'footman',
    user: 'footman',
    password: 's',
    schema: 'footman',
    tls: {
      mode: 'verify-full',
      ca: '/etc/footman/ca.pem',
      certificate: '',
      key: '',
      serverName: 'pg.acme.example',
    },
    connections: 4,
    connectTimeoutMs: 2000,
    statementTimeoutMs: 5000,
    applicationName: 'footman/qs1',
  })
  expect(leaseSettingsOf(settings)).toMatchObject({ connections: 1, statementTimeoutMs: 2000, connectTimeoutMs: 2000 })
})
