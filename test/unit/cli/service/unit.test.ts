import { describe, expect, test } from 'bun:test'
import type { ServiceFacts } from '../../../../src/cli/service/host.ts'
import { unitText } from '../../../../src/cli/service/linux.ts'
import { LINUX_FACTS } from '../../../support/service-facts.ts'

const lines = (change: Partial<ServiceFacts> = {}) =>
  unitText({ ...LINUX_FACTS, ...change }, { user: 'footman' }).split('\n')
const valuesOf = (key: string, change: Partial<ServiceFacts> = {}) =>
  lines(change)
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1))

describe('the unit', () => {
  test.each([
    ['Type', ['notify']],
    ['ExecStart', ['/opt/footman/footman run -c /opt/footman/config/prod.yaml']],
    ['WorkingDirectory', ['/opt/footman']],
    ['User', ['footman']],
    ['Restart', ['on-failure']],
    ['RestartPreventExitStatus', ['1']],
    ['WatchdogSec', ['60']],
    ['TimeoutStopSec', ['25']],
    ['ExecReload', ['/bin/kill -HUP $MAINPID']],
    ['NoNewPrivileges', ['yes']],
    ['ProtectSystem', ['strict']],
    ['ReadWritePaths', ['-/var/lib/footman', '-/var/log/footman', '-/srv/qvd']],
    ['ProtectHome', ['yes']],
    ['PrivateTmp', ['yes']],
    ['CapabilityBoundingSet', ['']],
    ['WantedBy', ['multi-user.target']],
  ])('has %s=%p', (key, values) => expect(valuesOf(key)).toEqual(values))

  test('leaves the compiler of the engine alone', () => {
    expect(lines().join('\n')).not.toContain('MemoryDenyWriteExecute')
  })

  test('waits longer than the grace', () => expect(valuesOf('TimeoutStopSec', { graceMs: 120_000 })).toEqual(['135']))
})

describe('what the configuration opens', () => {
  test('ports below 1024 need a capability', () => {
    expect(valuesOf('AmbientCapabilities', { listensOn: [443] })).toEqual(['CAP_NET_BIND_SERVICE'])
    expect(valuesOf('CapabilityBoundingSet', { listensOn: [443] })).toEqual(['CAP_NET_BIND_SERVICE'])
  })

  test.each([
    ['/home', 'ProtectHome', 'read-only'],
    ['/root/prod.yaml', 'ProtectHome', 'read-only'],
    ['/homestead/prod.yaml', 'ProtectHome', 'yes'],
    ['/tmp/prod.yaml', 'PrivateTmp', 'no'],
    ['/var/tmp/prod.yaml', 'PrivateTmp', 'no'],
  ])('a configuration %s: %s=%s', (file, key, value) => {
    expect(valuesOf(key, { command: ['/opt/footman/footman', 'run', '-c', file] })).toEqual([value])
  })

  test('directories that may be made anywhere', () => {
    expect(valuesOf('ProtectSystem', { writesAnywhere: true })).toEqual(['full'])
    expect(valuesOf('ReadWritePaths', { writesAnywhere: true })).toEqual([])
  })

  test('encrypted credentials', () => {
    const text = unitText({ ...LINUX_FACTS, credentials: ['a', 'b'] }, { user: 'footman', encrypted: ['b'] })
    expect(text).toContain('\nLoadCredential=a:/etc/credstore/a\n')
    expect(text).toContain('\nLoadCredentialEncrypted=b:/etc/credstore.encrypted/b\n')
  })

  test('credentials', () => {
    expect(valuesOf('LoadCredential', { credentials: ['smtp-password'] })).toEqual([
      'smtp-password:/etc/credstore/smtp-password',
    ])
  })
})

test('strange paths are written so that systemd reads them as they are', () => {
  const file = '/opt/a b/100% "x" $HOME/c\\d.yaml'
  expect(valuesOf('ExecStart', { command: ['/opt/a $b/footman', 'run', '-c', file] })).toEqual([
    '"/opt/a $b/footman" run -c "/opt/a b/100%% \\"x\\" $$HOME/c\\\\d.yaml"',
  ])
  expect(valuesOf('ReadWritePaths', { dataDirectory: '/d 1%', logDirectory: null, writable: [] })).toEqual([
    '"-/d 1%%"',
  ])
  expect(valuesOf('WorkingDirectory', { workingDirectory: '/a b%' })).toEqual(['/a b%%'])
})
