/** What a reload may change, and how a difference is shown. */
import { describe, expect, test } from 'bun:test'
import { differences } from '../../src/config/diff.ts'
import { graft, isLive } from '../../src/config/live.ts'
import type { Config } from '../../src/config/schema.ts'
import { loadText } from '../support/config.ts'

async function config(text: string): Promise<Config> {
  const { config: found, problems } = await loadText(text)
  if (!found) throw new Error(JSON.stringify(problems))
  return found
}

const BEFORE = `
Butler:
  logLevel: info
  udpServerConfig: {portTaskFailure: 9998}
  restServerConfig: {enable: true, tls: {enable: true, cert: a.pem, key: b.pem}}
  slackNotification: {restMessage: {webhookURL: 'https://hooks.acme.example/T1/rest'}}
  footman:
    timezone: Europe/Stockholm
    destinations: {ops: {type: webhook, url: 'https://ops.acme.example', headers: {Authorization: Bearer 0123456789}}}
    alertRoutes: [{name: one, to: [ops]}]
    access: {enable: true, allowFrom: [10.0.0.0/8], anonymous: {scopes: ['kv:read']}}
`
const AFTER = `
Butler:
  logLevel: debug
  udpServerConfig: {portTaskFailure: 9997}
  restServerConfig: {enable: true, tls: {enable: true, cert: a.pem, key: b.pem}}
  slackNotification: {restMessage: {webhookURL: 'https://hooks.acme.example/T2/rest'}}
  footman:
    timezone: Europe/Paris
    destinations: {ops: {type: webhook, url: 'https://ops.acme.example', headers: {Authorization: Bearer 9876543210}}, more: {type: ntfy, topic: t}}
    alertRoutes: [{name: two, to: [more]}]
    access: {enable: true, allowFrom: [10.0.0.0/8], anonymous: {scopes: ['task:read']}, clientCertificates: {caFile: ca.pem, grants: [{subject: CN=erp, scopes: ['kv:read']}]}}
`
const LIVE = [
  ...['footman.access.anonymous.scopes', 'footman.alertRoutes', 'footman.destinations.more'],
  ...['footman.destinations.ops.headers.Authorization', 'logLevel'],
]
const RESTART = [
  ...['footman.access.clientCertificates', 'footman.timezone', 'slackNotification.restMessage.webhookURL'],
  'udpServerConfig.portTaskFailure',
]

const paths = (before: Config, after: Config) =>
  differences(before, after)
    .map(({ path }) => path)
    .sort()

describe('of two configurations', () => {
  test('the differences are named by key, lists as a whole', async () => {
    const [before, after] = await Promise.all([config(BEFORE), config(AFTER)])
    expect(paths(before, after)).toEqual([...LIVE, ...RESTART].sort())
    expect(paths(before, before)).toEqual([])
  })

  test('a reload takes what is live and leaves the rest as it was at the start', async () => {
    const [before, after] = await Promise.all([config(BEFORE), config(AFTER)])
    const running = graft(before, after)
    expect(paths(before, running)).toEqual(LIVE)
    expect(paths(running, after)).toEqual(RESTART)
    expect(paths(graft(before, before), before)).toEqual([])
    expect(LIVE.every(isLive)).toBe(true)
    expect(RESTART.some(isLive)).toBe(false)
  })

  test('secrets are masked where a difference is shown', async () => {
    const [before, after] = await Promise.all([config(BEFORE), config(AFTER)])
    const shown = JSON.stringify(differences(before, after))
    expect(shown).not.toMatch(/0123456789|9876543210|T1\/rest|T2\/rest/)
    expect(differences(before, after).find(({ path }) => path === 'logLevel')).toEqual({
      path: 'logLevel',
      before: '"info"',
      after: '"debug"',
    })
  })
})
