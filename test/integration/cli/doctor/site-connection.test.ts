import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs'
import { codes } from '../../../support/doctor.ts'
import { complaints, diagnoseSite, finding, siteConfig } from '../../../support/doctor-site.ts'
import { freeTcpPort } from '../../../support/ports.ts'
import { startSite, type TestSite } from '../../../support/simulator.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'

let site: TestSite
let other: TestSite
let directory: TempDirectory

beforeAll(async () => {
  directory = tempDirectory()
  const certificateDirectory = directory.join('other-site')
  ;[site, other] = await Promise.all([startSite(), startSite({ host: '0.0.0.0', certificateDirectory })])
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  directory.remove()
})

const REST = { restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: 8080 } }
const qrs = (butler: Parameters<typeof diagnoseSite>[0], timeout = 5000) => diagnoseSite(butler, ['qrs'], { timeout })
const certificates = (cert: Record<string, string>) =>
  diagnoseSite(siteConfig(site.simulator, { cert }), ['certificate'])

async function withFault(mode: string, work: () => Promise<void>, listener: 'qrs' | 'engine' = 'qrs'): Promise<void> {
  site.simulator.fault({ listener, mode })
  try {
    await work()
  } finally {
    site.simulator.clearFaults()
    await until(async () => (await site.qrs('GET', 'about').catch(() => null))?.status === 200)
  }
}

function file(name: string, content: string): string {
  const path = directory.join(name)
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

describe('the certificate files', () => {
  test('in order: one finding that says until when', async () => {
    const found = await certificates({})
    expect(codes(found)).toContain('certificate.valid')
    expect(complaints(found)).toEqual([])
  })

  test('a file that is not there', async () => {
    const found = await certificates({ clientCert: '/nowhere/client.pem' })
    const [wrong, ...more] = found.findings.filter(({ level }) => level === 'error')
    expect(wrong).toMatchObject({ key: 'cert.clientCert' })
    expect(wrong!.message).toContain('does not exist')
    expect(more).toEqual([])
    expect(found.code).toBe(1)
  })

  test('a file that is no PEM', async () => {
    const found = await certificates({ clientCertCA: file('root.pfx', 'MIIKzgIBAzCCCo') })
    expect(finding(found, 'certificate.format')).toMatchObject({ level: 'error', key: 'cert' })
  })

  test('a key of another certificate', async () => {
    const found = await certificates({ clientCertKey: other.simulator.certificates.clientCertKey })
    expect(finding(found, 'certificate.key').message).toContain('does not belong to the certificate')
  })

  test('a key behind a password', async () => {
    const pem = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n-----END ENCRYPTED PRIVATE KEY-----\n'
    expect(
      finding(await certificates({ clientCertKey: file('key.pem', pem) }), 'certificate.key-password').fix,
    ).toContain('no password')
  })

  test('a client certificate of another site than root.pem', async () => {
    const { clientCert, clientCertKey } = other.simulator.certificates
    const found = await certificates({ clientCert, clientCertKey })
    expect(finding(found, 'certificate.chain').message).toContain('different sites')
  })

  test('a certificate that ends within the month', async () => {
    await import('reflect-metadata')
    const pki = await import('../../../../simulator/pki.ts')
    const valid = { notBefore: new Date(Date.now() - 1000), notAfter: new Date(Date.now() + 10.5 * 86_400_000) }
    const [authority, keys] = await Promise.all([pki.createAuthority('CA', valid), pki.createKeys()])
    const client = await pki.sign(authority, 'CN=QlikClient', keys.publicKey, valid, pki.CLIENT_EXTENSIONS)
    const found = await certificates({
      clientCert: file('ending.pem', client),
      clientCertKey: file('ending_key.pem', await pki.privatePem(keys)),
      clientCertCA: file('ending_root.pem', authority.certificate.toString('pem')),
    })
    expect(complaints(found)).toEqual(['warning certificate.ends-soon', 'warning certificate.ends-soon'])
    expect(finding(found, 'certificate.ends-soon').message).toMatch(/ends on \d{4}-\d\d-\d\d, in 10 days/)
  })

  test('an expired certificate', async () => {
    const { pem, serverCertKey } = site.simulator.certificates
    const found = await certificates({ clientCert: pem.expiredServer.path, clientCertKey: serverCertKey })
    expect(finding(found, 'certificate.expired')).toMatchObject({ level: 'error', key: 'cert' })
    expect(finding(found, 'certificate.expired').fix).toContain('in the QMC')
  })

  test.skipIf(process.platform === 'win32')('a key that everybody may read', async () => {
    const path = directory.join('open_key.pem')
    copyFileSync(site.simulator.certificates.clientCertKey, path)
    chmodSync(path, 0o644)
    const found = await certificates({ clientCertKey: path })
    expect(finding(found, 'certificate.permissions').fix).toContain(`chmod 600 ${path}`)
  })
})

describe('the repository service', () => {
  test('in order: version and user', async () => {
    const found = await qrs(siteConfig(site.simulator))
    expect(finding(found, 'qrs.reached').message).toBe('answers as Internal\\sa_repository, version 31.60.3.0')
    expect(complaints(found)).toEqual([])
  })

  test('a host with a scheme', async () => {
    const found = await qrs(siteConfig(site.simulator, { qrs: { host: 'https://qs1.example.com' } }))
    expect(found.code).toBe(1)
    expect(finding(found, 'configuration.error')).toMatchObject({ key: 'configQRS.host' })
  })

  test('a host that nobody knows', async () => {
    const found = await qrs(siteConfig(site.simulator, { qrs: { host: 'no-such-host.invalid' } }))
    expect(finding(found, 'qrs.name').fix).toContain('Butler.configQRS.host')
  })

  test('a port where nobody listens', async () => {
    const found = await qrs(siteConfig(site.simulator, { qrs: { port: await freeTcpPort() } }))
    expect(finding(found, 'qrs.refused').fix).toContain('Butler.configQRS.port')
  })

  test('the port of plain HTTP', async () => {
    const found = await qrs(siteConfig(site.simulator, { qrs: { port: site.simulator.ports.qrsHttp } }))
    expect(complaints(found)).toHaveLength(1)
    expect(finding(found, codes(found)[0]!).fix).toContain('Butler.configQRS.port')
  })

  test('the port of the proxy', async () => {
    await withFault('proxy', async () => {
      const found = await qrs(siteConfig(site.simulator))
      expect(finding(found, 'qrs.proxy').fix).toContain('set Butler.configQRS.port to 4242')
      expect(finding(found, 'qrs.proxy').key).toBe('configQRS.port')
    })
  })

  test('a server certificate of another authority', async () => {
    await withFault('tls-unknown-ca', async () => {
      const strict = await qrs(siteConfig(site.simulator))
      expect(finding(strict, 'qrs.server-authority').level).toBe('error')
      expect(codes(strict)).not.toContain('qrs.client-certificate')
      const loose = await qrs(siteConfig(site.simulator, { qrs: { rejectUnauthorized: false } }))
      expect(complaints(loose)).toEqual(['warning qrs.server-authority'])
    })
  })

  test('a server certificate that has ended', async () => {
    await withFault('tls-expired', async () => {
      expect(finding(await qrs(siteConfig(site.simulator)), 'qrs.server-expired').fix).toContain('QMC')
    })
  })

  test('a name that is not in the server certificate', async () => {
    const found = await qrs(siteConfig(other.simulator, { qrs: { host: '127.0.0.2' } }))
    expect(finding(found, 'qrs.server-name').fix).toContain('rejectUnauthorized')
  })

  test('a client certificate of another site', async () => {
    const { clientCert, clientCertKey } = other.simulator.certificates
    const found = await qrs(siteConfig(site.simulator, { cert: { clientCert, clientCertKey } }))
    expect(finding(found, 'qrs.client-certificate').fix).toContain('export the certificates')
  })

  const user = (value: string) => ({ headers: { static: [{ name: 'X-Qlik-User', value }] } })

  test('a user that the site does not know', async () => {
    const found = await qrs(siteConfig(site.simulator, { qrs: user('UserDirectory=LAB;UserId=nobody') }))
    expect(finding(found, 'qrs.user').message).toContain('LAB\\nobody')
    expect(finding(found, 'qrs.user').fix).toContain('UserId=sa_repository')
  })

  test('X-Qlik-User of the wrong form, and none', async () => {
    const malformed = await qrs(siteConfig(site.simulator, { qrs: user('LAB\\anna') }))
    expect(finding(malformed, 'qrs.user-malformed').fix).toContain('UserDirectory=Internal;UserId=sa_repository')
    const none = { headers: { static: [{ name: 'X-Other', value: 'x' }] } }
    const missing = await qrs(siteConfig(site.simulator, { qrs: none }))
    expect(finding(missing, 'qrs.user-missing').key).toBe('configQRS.headers.static')
  })

  test('a repository that starts', async () => {
    await withFault('restart', async () => {
      expect(finding(await qrs(siteConfig(site.simulator)), 'qrs.starting').message).toContain('503')
    })
  })

  test('a repository that stays silent', async () => {
    await withFault('hang', async () => {
      expect(complaints(await qrs(siteConfig(site.simulator), 500))).toEqual(['error qrs.silent'])
    })
  })

  test('whoever cannot be asked is told of once; the others say that they were not examined', async () => {
    const butler = siteConfig(site.simulator, { qrs: { port: await freeTcpPort() } })
    const found = await diagnoseSite(butler, ['qrs', 'clock', 'property', 'rights', 'licence', 'names', 'selection'])
    expect(complaints(found)).toEqual(['error qrs.refused'])
    expect(codes(found)).toContain('clock.not-examined')
  })
})

describe('the engine', () => {
  const engine = () => diagnoseSite({ ...siteConfig(site.simulator), ...REST }, ['engine'])

  test('in order: a session and its version', async () => {
    expect(finding(await engine(), 'engine.session').message).toContain('version 12.2027.0')
  })

  test('nothing there', async () => {
    const configEngine = { host: '127.0.0.1', port: await freeTcpPort() }
    const found = await diagnoseSite({ ...siteConfig(site.simulator), ...REST, configEngine }, ['engine'])
    expect(finding(found, 'engine.refused').fix).toContain('Butler.configEngine.port')
  })

  test('a port that is no engine', async () => {
    const configEngine = { host: '127.0.0.1', port: site.simulator.ports.qrs }
    const found = await diagnoseSite({ ...siteConfig(site.simulator), ...REST, configEngine }, ['engine'])
    expect(finding(found, 'engine.handshake').fix).toContain('4747')
  })

  test('a session that is refused', async () => {
    await withFault(
      'session-limit',
      async () => expect(finding(await engine(), 'engine.user').message).toContain('LIMIT'),
      'engine',
    )
  })

  test('is left out when no feature uses it', async () => {
    expect(codes(await diagnoseSite(siteConfig(site.simulator), ['engine']))).toEqual([])
  })
})
