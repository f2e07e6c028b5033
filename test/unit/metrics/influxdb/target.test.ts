import { describe, expect, test } from 'bun:test'
import { footmanInfluxDb, influxDb } from '../../../../src/metrics/config.ts'
import { targetOf } from '../../../../src/metrics/influxdb/connection.ts'
import { retentionSeconds } from '../../../../src/metrics/influxdb/database.ts'
import { sharedNames } from '../../../../src/metrics/influxdb/line.ts'

const target = (written: object, tls: object = {}) =>
  targetOf({ ...influxDb.parse({ enable: true, ...written }), tls: footmanInfluxDb.parse({ tls }).tls })

describe('the address', () => {
  test.each([
    [{ hostIP: 'influx' }, {}, 'http://influx:8086'],
    [{ hostIP: '10.0.0.1', hostPort: 8181 }, { enable: true }, 'https://10.0.0.1:8181'],
    [{ hostIP: 'fe80::1' }, {}, 'http://[fe80::1]:8086'],
    [{ hostIP: 'http://influx' }, { enable: true }, 'http://influx:8086'],
    [{ hostIP: 'https://influx.acme.example/base/', hostPort: 443 }, {}, 'https://influx.acme.example:443/base'],
    [{ hostIP: 'https://influx.acme.example:9999/a/b', hostPort: 443 }, {}, 'https://influx.acme.example:9999/a/b'],
    [{ hostIP: 'influx.acme.example/base' }, {}, 'http://influx.acme.example:8086/base'],
    [{ hostIP: 'https://[::1]/x' }, {}, 'https://[::1]:8086/x'],
  ])('%j %j', (written, tls, base) => {
    expect(target(written, tls).base).toBe(base)
  })
})

describe('the request', () => {
  test.each([
    [{}, '/write?db=butler&precision=n', {}],
    [
      { v1Config: { dbName: 'a b&c', auth: { enable: true, username: 'joe', password: 'se:cret' } } },
      '/write?db=a%20b%26c&precision=n',
      { Authorization: 'Basic am9lOnNlOmNyZXQ=' },
    ],
    [{ v1Config: { auth: { enable: false, username: 'joe', password: 'x' } } }, '/write?db=butler&precision=n', {}],
    [
      { version: 2, v2Config: { org: 'my org', bucket: 'butler', token: 'tok' } },
      '/api/v2/write?org=my%20org&bucket=butler&precision=ns',
      { Authorization: 'Token tok' },
    ],
    [
      { version: 3, v3Config: { database: 'butler', token: 'tok', writeTimeout: 123 } },
      '/api/v2/write?bucket=butler&precision=ns',
      { Authorization: 'Token tok' },
    ],
  ])('%j', (written, writePath, headers) => {
    expect(target(written)).toMatchObject({ writePath, headers })
    expect(Object.keys(target(written).headers)).toEqual(Object.keys(headers))
  })

  test.each([
    [{}, 30_000],
    [{ version: 2, v2Config: { token: 't' } }, 10_000],
    [{ version: 3, v3Config: { token: 't' } }, 10_000],
    [{ version: 3, v3Config: { token: 't', writeTimeout: 123 } }, 123],
  ])('%j may take %i ms', (written, timeoutMs) => {
    expect(target(written).timeoutMs).toBe(timeoutMs)
  })
})

describe('how long points are kept', () => {
  test.each<[string, number | null]>([
    ['10d', 864_000],
    ['1d12h', 129_600],
    ['2w', 1_209_600],
    ['90m', 5400],
    ['500ms', 1],
    ['INF', 0],
    ['inf', 0],
    ['0s', 0],
    [' 1h ', 3600],
    ['', null],
    ['10', null],
    ['10 days', null],
    ['d10', null],
    ['-1d', null],
  ])('"%s"', (text, seconds) => {
    expect(retentionSeconds(text)).toBe(seconds)
  })
})

test('a static tag that is named like a field is told, wherever it stands', () => {
  const tag = (name: string) => ({ static: [{ name, value: 'x' }] })
  const found = sharedNames(
    influxDb.parse({
      tag: tag('version'),
      reloadTaskFailure: { tag: tag('execution_id') },
      preloadTaskSuccess: { tag: tag('fine') },
    }),
  )
  expect(found).toEqual([
    expect.stringContaining('"version" of Butler.influxDb.tag.static'),
    expect.stringContaining('"execution_id" of Butler.influxDb.reloadTaskFailure.tag.static'),
  ])
})
