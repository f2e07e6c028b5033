import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { certificatePair } from '../../../support/certificates.ts'
import { codes, diagnose } from '../../../support/doctor.ts'
import { startHttpSink } from '../../../support/http-sink.ts'
import { freeTcpPort } from '../../../support/ports.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { startTlsProxy } from '../../../support/tls-proxy.ts'

const only = ['destinations']

const slack = (webhookURL: string) => ({
  slackNotification: { enable: true, reloadTaskFailure: { enable: true, webhookURL } },
})
const named = (settings: Record<string, unknown>) => ({ footman: { destinations: { ops: settings } } })

describe('destinations', () => {
  test('are reached and never called; several on one server are one line', async () => {
    await using sink = await startHttpSink()
    const config = {
      ...slack(`${sink.url}/secret-path`),
      webhookNotification: { enable: true, reloadTaskFailure: { webhooks: [{ webhookURL: `${sink.url}/hook` }] } },
    }
    const found = await diagnose(config, { only })
    expect([codes(found), found.code]).toEqual([['destinations.reached'], 0])
    expect(found.findings[0]!.target).toMatch(/^127\.0\.0\.1:\d+ \(Butler\.slackNotification.* and 1 more\)$/)
    expect(found.text).not.toContain('secret-path')
    expect(sink.requests).toEqual([])
  })

  test('that are down, or whose name nobody knows', async () => {
    const down = await diagnose(slack(`http://127.0.0.1:${await freeTcpPort()}/x`), { only })
    expect([codes(down), down.code]).toEqual([['destinations.refused'], 3])
    const unknown = await diagnose(slack('https://no-such-host.invalid/x'), { only })
    expect(codes(unknown)).toEqual(['destinations.name'])
    expect(unknown.findings[0]!.message).toBe('the name no-such-host.invalid cannot be resolved')
    expect(unknown.findings[0]!.fix).toMatch(/^check the host in Butler\.slack.*HTTPS_PROXY/)
  })

  test('every type of a named destination has a server to look at', async () => {
    const url = `http://127.0.0.1:${await freeTcpPort()}`
    const types = [
      { type: 'slack', webhookURL: url },
      { type: 'teams', webhookURL: url },
      { type: 'discord', webhookURL: url },
      { type: 'signl4', url },
      { type: 'webhook', url },
      { type: 'ntfy', topic: 'x', server: url },
      { type: 'otlp', endpoint: url },
    ]
    const found = await Promise.all(types.map((settings) => diagnose(named(settings), { only })))
    expect(found.map(codes)).toEqual(types.map(() => ['destinations.refused']))
  })

  test('a private authority has to be named', async () => {
    await using directory = tempDirectory()
    const pair = await certificatePair('127.0.0.1')
    writeFileSync(directory.join('ca.pem'), pair.ca)
    const requests: string[] = []
    const server = createServer(pair, ({ url }, response) => {
      requests.push(url ?? '')
      response.end()
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
    try {
      const strange = await diagnose(named({ type: 'webhook', url }), { only })
      expect(strange.findings).toEqual([
        expect.objectContaining({
          code: 'destinations.certificate',
          fix: expect.stringContaining('Butler.footman.destinations.ops.caFile'),
        }),
      ])
      const known = await diagnose(named({ type: 'webhook', url, caFile: directory.join('ca.pem') }), { only })
      expect(codes(known)).toEqual(['destinations.reached'])
      const blind = await diagnose(named({ type: 'webhook', url, rejectUnauthorized: false }), { only })
      expect(codes(blind)).toEqual(['destinations.certificate-not-verified', 'destinations.reached'])
      expect(requests).toEqual([])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('the proxy of the environment is taken, and its refusal told', async () => {
    await using directory = tempDirectory()
    const proxy = await startTlsProxy({ 'hooks.example.com': { status: 200, body: '' } })
    writeFileSync(directory.join('ca.pem'), proxy.authority)
    try {
      const settings = { type: 'webhook', url: 'https://hooks.example.com/x', caFile: directory.join('ca.pem') }
      const found = await diagnose(named(settings), { only, env: { HTTPS_PROXY: proxy.url } })
      expect(codes(found)).toEqual(['destinations.certificate-ending', 'destinations.reached'])
      expect(proxy.requests).toEqual([])
      const gone = `http://user:proxy-password@127.0.0.1:${await freeTcpPort()}`
      const refused = await diagnose(named(settings), { only, env: { HTTPS_PROXY: gone } })
      expect(codes(refused)).toEqual(['destinations.proxy'])
      expect(refused.text).not.toContain('proxy-password')
    } finally {
      await proxy.stop()
    }
  })

  test('the heartbeat is looked at, not sent', async () => {
    await using sink = await startHttpSink()
    const config = (remoteURL: string) => ({ heartbeat: { enable: true, remoteURL } })
    expect(codes(await diagnose(config(sink.url), { only: ['heartbeat'] }))).toEqual(['heartbeat.reached'])
    await sink.down()
    expect(codes(await diagnose(config(sink.url), { only: ['heartbeat'] }))).toEqual(['heartbeat.refused'])
    expect(sink.requests).toEqual([])
  })

  test('an address of the console that leads elsewhere, or to a Footman that does not run, is a warning', async () => {
    await using sink = await startHttpSink()
    const config = { footman: { console: { publicUrl: `${sink.url}/footman` } } }
    const elsewhere = await diagnose(config, { only: ['console'] })
    expect(codes(elsewhere)).toEqual(['console.other'])
    expect(elsewhere.text).toContain('/footman/console answers with HTTP 200, not the console')
    await sink.down()
    const gone = await diagnose(config, { only: ['console'] })
    expect([gone.code, codes(gone)]).toEqual([0, ['console.refused']])
  })
})

describe('a tenant of Qlik Cloud', () => {
  test('takes the token or refuses it', async () => {
    await using tenant = await startHttpSink()
    const config = {
      mqttConfig: {
        enable: true,
        brokerHost: 'broker',
        qlikSenseCloud: { event: { mqttForward: { enable: true, broker: { host: 'broker' } } } },
      },
      qlikSenseCloud: {
        enable: true,
        event: { mqtt: { tenant: { id: 'acme', tenantUrl: tenant.url, auth: { jwt: { token: 'tenant-token' } } } } },
      },
    }
    expect(codes(await diagnose(config, { only: ['cloud'] }))).toEqual(['cloud.ready'])
    expect(tenant.requests).toEqual([expect.objectContaining({ method: 'GET', url: '/api/v1/users/me' })])
    tenant.answer({ status: 401 })
    const refused = await diagnose(config, { only: ['cloud'] })
    expect([codes(refused), refused.code]).toEqual([['cloud.token'], 3])
    expect(refused.text).not.toContain('tenant-token')
  })
})
