import { describe, expect, test } from 'bun:test'
import { createZoneTimes } from '../../../src/platform/zone-times.ts'
import { checkCertificates, createCertificateSource } from '../../../src/qlik/qrs/certificates.ts'
import { testCertificates } from '../../support/conformance/certificates.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

const { ca, client, server, expiredServer } = await testCertificates()
const good = { cert: client.cert.pem, key: client.key.pem, ca: ca.pem }
const DAY_MS = 86_400_000
const UTC = createZoneTimes('UTC')

describe('checkCertificates', () => {
  test('nothing to say about a good set', () => {
    const { problems, warnings, expires } = checkCertificates(good, Date.now(), UTC)
    expect([problems, warnings]).toEqual([[], []])
    expect(expires).toBeGreaterThan(Date.now() + 3000 * DAY_MS)
  })

  test('the key of another certificate', () => {
    expect(checkCertificates({ ...good, key: server.key.pem }, Date.now(), UTC).problems).toEqual([
      'the key does not belong to the client certificate',
    ])
  })

  test('expired, about to end, not yet valid', () => {
    const expired = checkCertificates({ ...good, cert: expiredServer.pem, key: server.key.pem }, Date.now(), UTC)
    expect(expired.problems[0]).toMatch(/^the client certificate ended at 20\d\d-/)
    const { expires } = checkCertificates(good, Date.now(), UTC)
    expect(checkCertificates(good, expires! - 10 * DAY_MS, UTC).warnings[0]).toMatch(
      /^the client certificate ends at 20/,
    )
    expect(checkCertificates(good, 0, UTC).problems[0]).toBe('the client certificate is not valid yet')
  })

  test('not PEM, and a key with a password', () => {
    const key = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----'
    expect(checkCertificates({ cert: 'x', key, ca: '' }, Date.now(), UTC).problems).toEqual([
      'the client certificate is not a PEM certificate',
      'the certificate authority is not a PEM certificate',
      'the key of the client certificate is protected by a password',
    ])
  })
})

describe('createCertificateSource', () => {
  const paths = { clientCert: '/c.pem', clientCertKey: '/k.pem', clientCertCA: '/r.pem', retryMs: 5 }

  test('reads again until the files are there, and says each thing once', async () => {
    const files = new Map<string, string>()
    const read = async (path: string) => {
      const found = files.get(path)
      if (found === undefined) throw new Error('ENOENT: no such file or directory')
      return found
    }
    const log = recordingLog()
    const source = createCertificateSource({ log, times: UTC, read }, paths)
    await source.start()
    expect(source.current()).toBeNull()
    files.set('/c.pem', good.cert).set('/k.pem', good.key).set('/r.pem', good.ca)
    await until(() => source.current() !== null)
    expect(source.current()).toEqual(good)
    expect(log.of('error')).toEqual([
      'CONFIG: Error reading certificate file "/c.pem"! ENOENT: no such file or directory',
    ])
    await until(() => log.of('info').length > 0)

    const before = source.current()
    files.delete('/c.pem')
    await until(() => log.of('error').length === 2)
    expect(source.current()).toBe(before)
    await source.stop(0)
  })
})
