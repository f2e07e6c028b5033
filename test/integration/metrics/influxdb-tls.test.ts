/** InfluxDB behind TLS. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { influxServer } from '../../support/influx-server.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'

describe('over https', () => {
  let site: TestSite
  let server: Server
  let authorization: (string | undefined)[] = []

  beforeAll(async () => {
    site = await startSite()
    const { server: own } = site.simulator.certificates.pem
    server = createServer({ cert: own.cert.pem, key: own.key.pem }, (request, response) => {
      authorization.push(request.headers.authorization)
      response.writeHead(204).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await site[Symbol.asyncDispose]()
  })

  const connect = (tls: object, hostIP = '127.0.0.1') => {
    const { port } = server.address() as AddressInfo
    const v2Config = { org: 'o', bucket: 'b', token: 'secret-token' }
    return influxServer({ hostIP, hostPort: port, version: 2, v2Config }, { tls })
  }
  const ca = () => site.simulator.certificates.clientCertCA
  const delivered = [{ outcome: 'delivered', detail: 'HTTP 204' }]

  test.each(['127.0.0.1', 'https://127.0.0.1'])('%s with the authority of the server', async (hostIP) => {
    authorization = []
    expect(await connect({ enable: hostIP === '127.0.0.1', caFile: ca() }, hostIP).write(['m f=1 1'])).toEqual(
      delivered as never,
    )
    expect(authorization).toEqual(['Token secret-token'])
  })

  test('without it nothing is said to a server that nobody vouches for, unless that is wanted', async () => {
    authorization = []
    expect(await connect({ enable: true }).write(['m f=1 1'])).toEqual([
      { outcome: 'retry', detail: expect.stringContaining('TLS'), peerDown: true },
    ])
    expect(authorization).toEqual([])
    expect(await connect({ enable: true, rejectUnauthorized: false }).write(['m f=1 1'])).toEqual(delivered as never)
  })

  test('a file that cannot be read: points wait, and the reason is told', async () => {
    const { write, log } = connect({ enable: true, caFile: '/nowhere/ca.pem' })
    expect(await write(['m f=1 1'])).toEqual([
      { outcome: 'retry', detail: 'caFile cannot be read: /nowhere/ca.pem', slow: true, peerDown: true },
    ])
    expect(log.of('error')[0]).toContain('caFile cannot be read: /nowhere/ca.pem')
  })
})
