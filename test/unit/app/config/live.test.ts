/** What a reload may change, and how a difference is shown. */
import { describe, expect, test } from 'bun:test'
import { graft, isLive, partsConcerned } from '../../../../src/app/config/live.ts'
import type { Config } from '../../../../src/app/schema.ts'
import { differences } from '../../../../src/config/diff.ts'
import { loadText } from '../../../support/config.ts'

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
  'footman.access.anonymous.scopes',
  'footman.alertRoutes',
  'footman.destinations.more',
  'footman.destinations.ops.headers.Authorization',
  'logLevel',
]
const RESTART = [
  'footman.access.clientCertificates',
  'footman.timezone',
  'slackNotification.restMessage.webhookURL',
  'udpServerConfig.portTaskFailure',
]

const paths = (before: Config, after: Config) =>
  differences(before, after)
    .map(({ path }) => path)
    .sort()

/** What differs between two lists of routes. */
async function routes(before: readonly string[], after: readonly string[]) {
  const [was, is] = await Promise.all(
    [before, after].map((list) =>
      config(
        `Butler:\n  footman:\n    destinations: {ops: {type: ntfy, topic: t}}\n    alertRoutes:\n${list.map((one) => `      - {${one}}\n`).join('')}`,
      ),
    ),
  )
  return differences(was!, is!).flatMap(({ details }) => details)
}

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

  test.each([
    [['logLevel'], ['log']],
    [['emailNotification.enable'], ['alerts', 'customProperties']],
    [['serviceMonitor.frequency'], ['alerts', 'services']],
    [['qlikSenseLicense.licenseMonitor.frequency'], ['alerts', 'accessLicenses']],
    [
      ['heartbeat.remoteURL', 'footman.access.anonymous.scopes'],
      ['api', 'heartbeat'],
    ],
    [['footman.destinations.more'], ['alerts']],
    [['heartbeats', 'footman.timezone'], []],
  ])('a change of %p concerns %p', (changed, parts) => {
    expect(partsConcerned(changed) as string[]).toEqual(parts)
  })

  test('secrets are masked where a difference is shown', async () => {
    const [before, after] = await Promise.all([config(BEFORE), config(AFTER)])
    const shown = JSON.stringify(differences(before, after))
    expect(shown).not.toMatch(/0123456789|9876543210|T1\/rest|T2\/rest/)
    expect(differences(before, after).find(({ path }) => path === 'logLevel')).toEqual({
      path: 'logLevel',
      details: [{ path: 'logLevel', before: '"info"', after: '"debug"' }],
    })
  })

  test.each([
    ['a key that is new', 'except: {task: "/x+/"}', '', 'alertRoutes[1].except', 'nothing', '[{"task":'],
    [
      'a word',
      'match: {outcome: aborted}',
      'match: {outcome: failed}',
      'alertRoutes[1].match[0].outcome[0]',
      '"failed"',
      '"aborted"',
    ],
    [
      'a regular expression',
      'match: {message: /new/}',
      'match: {message: /old/}',
      'alertRoutes[1].match[0].message',
      'old',
      'new',
    ],
  ])('of a route: %s', async (_name, after, before, path, was, is) => {
    const found = await routes(
      ['name: a, to: [ops]', `name: b, to: [ops], ${before}`, 'name: c, to: [ops]'],
      ['name: a, to: [ops]', `name: b, to: [ops], ${after}`, 'name: c, to: [ops]'],
    )
    expect(found.map((one) => one.path)).toEqual([`footman.${path}`])
    expect(found[0]?.before).toContain(was)
    expect(found[0]?.after).toContain(is)
  })

  test('a route that is new, or gone, is told alone', async () => {
    const [one, two] = ['name: a, to: [ops]', 'name: b, to: [ops]']
    const added = await routes([one, two], ['name: x, to: [ops]', one, two])
    expect(added).toEqual([
      { path: 'footman.alertRoutes[0]', before: 'nothing', after: expect.stringContaining('"x"') },
    ])
    const removed = await routes([one, two], [one])
    expect(removed).toEqual([
      { path: 'footman.alertRoutes[1]', before: expect.stringContaining('"b"'), after: 'nothing' },
    ])
  })

  test('of a long text the part that differs is shown', async () => {
    const long = 'x'.repeat(500)
    const [found] = await routes([`name: a, to: [ops], body: ${long}old`], [`name: a, to: [ops], body: ${long}new`])
    expect(found?.before).toEndWith('xold"')
    expect(found?.after).toEndWith('xnew"')
    expect(found!.after.length).toBeLessThan(210)
  })
})
