/** The whole doctor on a site where all is well but one thing: it says that one thing, and nothing beside it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { diagnose } from '../../../support/doctor.ts'
import { complaints, siteConfig } from '../../../support/doctor-site.ts'
import { freeTcpPort, freeUdpPort } from '../../../support/ports.ts'
import { startSite, type TestSite } from '../../../support/simulator.ts'

let site: TestSite
beforeAll(async () => {
  site = await startSite()
})
afterAll(() => site[Symbol.asyncDispose]())

type Tree = Readonly<Record<string, object>>

async function healthy(): Promise<Tree> {
  return {
    ...(siteConfig(site.simulator) as Tree),
    fileLogging: false as unknown as object,
    udpServerConfig: { enable: true, serverHost: '127.0.0.1', portTaskFailure: await freeUdpPort() },
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: await freeTcpPort() },
  }
}

/** Level and code of everything that is not in order; the kernel of the machine of the tests is its own business. */
async function wrongWith(change: (butler: Tree) => object): Promise<readonly string[]> {
  const butler = await healthy()
  const found = await diagnose({ ...butler, ...change(butler) }, { qsConnection: true })
  return complaints(found).filter((one) => !one.includes('udp.receive-buffer'))
}

const certificate = (name: string) => join(site.simulator.certificates.directory, name)

test('nothing', async () => {
  expect(await wrongWith(() => ({}))).toEqual([])
})

describe('one thing', () => {
  const rows: readonly [string, (butler: Tree) => object, readonly string[]][] = [
    [
      'the key is that of another certificate',
      ({ cert }) => ({ cert: { ...cert, clientCertKey: certificate('server_key.pem') } }),
      ['error certificate.key'],
    ],
    [
      'the certificate is a key',
      ({ cert }) => ({ cert: { ...cert, clientCert: certificate('client_key.pem') } }),
      ['error certificate.format'],
    ],
    [
      'a certificate is not there',
      ({ cert }) => ({ cert: { ...cert, clientCertCA: '/nowhere/root.pem' } }),
      ['error certificate.missing'],
    ],
    [
      'the host of the engine has a scheme',
      ({ configEngine }) => ({ configEngine: { ...configEngine, host: 'https://127.0.0.1' } }),
      ['error configuration.error'],
    ],
    [
      'the port of the engine is no number',
      ({ configEngine }) => ({ configEngine: { ...configEngine, port: '47a' } }),
      ['error configuration.error'],
    ],
    [
      'the port of the REST API is none',
      ({ restServerConfig }) => ({ restServerConfig: { ...restServerConfig, serverPort: 99_999 } }),
      ['error configuration.error'],
    ],
    [
      'X-Qlik-User is malformed',
      ({ configQRS }) => ({
        configQRS: { ...configQRS, headers: { static: [{ name: 'X-Qlik-User', value: 'LAB\\anna' }] } },
      }),
      ['error qrs.user-malformed'],
    ],
    [
      'the address to listen on is not of this machine',
      ({ udpServerConfig }) => ({ udpServerConfig: { ...udpServerConfig, serverHost: '192.0.2.77' } }),
      ['error address.foreign'],
    ],
    [
      'the address of the page is not of this machine',
      () => ({ configVisualisation: { enable: true, host: '192.0.2.77', port: 3999, obfuscate: true } }),
      ['error address.foreign'],
    ],
    [
      'the start filter allows nothing',
      () => ({ startTaskFilter: { enable: true, allowTask: { taskId: [], tag: [], customProperty: [] } } }),
      ['warning configuration.warning'],
    ],
    [
      'a folder in double quotes, whose backslashes make other signs',
      () => ({ fileLogging: true, logDirectory: 'D:\u2028ogs' }),
      ['warning configuration.warning'],
    ],
  ]
  test.each(rows)('%s', async (_, change, expected) => {
    expect(await wrongWith(change)).toEqual([...expected])
  })
})

test('a Footman of another configuration has the ports: it is not asked, and not taken for this one', async () => {
  const requests: string[] = []
  const other = createServer(({ method, url }, response) => {
    requests.push(`${method} ${url}`)
    response.end(JSON.stringify({ enabled: true, listening: true, sources: [], dropped: {} }))
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port: serverPort } = other.address() as AddressInfo
  const found = await wrongWith(({ restServerConfig }) => ({ restServerConfig: { ...restServerConfig, serverPort } }))
  other.close()
  expect(found).toEqual(['error ports.in-use'])
  expect(requests).toEqual([])
})
