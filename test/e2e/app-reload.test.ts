/** Failed reloads without a task, from the engine's datagram to every kind of message and page. */
import { afterEach, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { startSite } from '../support/simulator.ts'
import { startSmtpSink } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

const APP = 'a1000000-0000-4000-8000-000000000002'
const WAIT = { timeout: 20_000 }
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function scene(alertRoutes: readonly object[]) {
  const [site, sink, mailbox] = await Promise.all([startSite(), startHttpSink(), startSmtpSink()])
  cleanups.push(
    async () => site[Symbol.asyncDispose](),
    () => sink.stop(),
    () => mailbox.stop(),
  )
  sink.answer({ body: '{}' })
  const product = await footman({
    simulator: site.simulator,
    webhookUrl: `${sink.url}/butler`,
    smtpPort: mailbox.port,
    config: {
      footman: {
        dataDirectory: 'data',
        console: { enable: true },
        destinations: {
          mail: { type: 'email', recipients: ['ops@acme.example'] },
          chat: { type: 'slack', webhookURL: `${sink.url}/chat` },
          hook: { type: 'webhook', url: `${sink.url}/hook` },
          all: { type: 'ntfy', server: `${sink.url}/all`, topic: 'qlik' },
        },
        alertRoutes,
      },
    },
  })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  await product.start()
  const socket = createSocket('udp4')
  cleanups.push(() => socket.close())
  const send = (time: string, user = 'goran') => {
    const fields = [
      '/engine-reload-failed/',
      'QS-2',
      APP,
      'session',
      'ACME',
      user,
      time,
      'ERROR',
      'Field "X" not found',
    ]
    socket.send(fields.join(';'), product.udpPort, '127.0.0.1')
  }
  const json = async (path: string) => (await product.call('GET', path)).json()
  return { product, sink, mailbox, send, json }
}

const EVERYTHING = { name: 'everything', match: { outcome: '*' }, to: ['all'] }

test('one line in the rules reports them, with app, user and stream; rules without types and Butler stay silent', async () => {
  const rule = { name: 'app-reloads', match: { type: 'appReload', stream: '*' }, to: ['mail', 'chat', 'hook'] }
  const { sink, mailbox, send, json, product } = await scene([EVERYTHING, rule])
  send('2026-03-02 07:03:11,482')
  const [mail] = await mailbox.received(1, WAIT)
  await until(() => sink.requests.length === 2, WAIT)
  expect(mail!.parsed.subject).toContain('App reload failed: Sales Dashboard')
  for (const text of ['Field "X" not found', 'Finance', 'ACME', 'goran', 'QS-2', APP])
    expect(mail!.parsed.text).toContain(text)
  for (const text of ['undefined', 'Task id', 'Execution id', '[object']) expect(mail!.parsed.text).not.toContain(text)
  const bodyOf = (url: string) => sink.requests.find((request) => request.url.startsWith(url))!.body
  expect(bodyOf('/chat')).toContain('App reload failed: Sales Dashboard')
  expect(bodyOf('/chat')).not.toMatch(/undefined|\bnull\b/)
  expect(JSON.parse(bodyOf('/hook'))).toMatchObject({
    type: 'appReload',
    task: null,
    app: { id: APP, stream: 'Finance' },
    user: 'ACME/goran',
    text: 'App: Sales Dashboard\nHost: QS-2\nStream: Finance\nStarted by: ACME/goran\n\nField "X" not found',
  })

  const listed = await json('/v4/events?type=appReload')
  expect(listed.events).toMatchObject([
    { type: 'appReload', outcome: 'failed', appId: APP, appName: 'Sales Dashboard', taskId: null },
  ])
  const { id } = listed.events[0]
  expect(await json(`/v4/events/${id}`)).toMatchObject({ user: 'ACME/goran', record: { appStreamName: 'Finance' } })
  const decisions = await json(`/v4/events/${id}/decisions`)
  expect(decisions.routes).toMatchObject([{ name: 'app-reloads', matched: true }])
  const explained = await (await product.call('POST', '/v4/alertroutes/explain', { eventId: id })).json()
  expect(explained.routes.find(({ name }: { name: string }) => name === 'everything')).toMatchObject({
    matched: false,
    because: 'type is "appReload", wanted all but appReload',
  })
  expect((await json('/v4/events?q=Sales&type=appReload')).events).toHaveLength(1)
}, 60_000)

test('without a rule nothing is sent, and the page of the event has the lines to copy', async () => {
  const { product, sink, mailbox, send, json } = await scene([EVERYTHING])
  send('2026-03-02 07:03:11,482')
  send('2026-03-02 07:03:11,482')
  send('2026-03-02 07:03:12,000', 'sa_scheduler')
  const routed = () => product.rows<{ id: string }>(`SELECT id FROM event WHERE state = 'routed'`)
  await until(() => routed().length === 2, WAIT)
  const [{ id }] = routed() as [{ id: string }]
  expect(await json(`/v4/events/${id}`)).toMatchObject({ title: 'App reload failed: Sales Dashboard', deliveries: [] })
  expect((await json('/v4/events/dropped')).dropped).toMatchObject([{ reason: 'DUPLICATE' }])
  const page = await (await product.call('GET', `/console/events/${id}`)).text()
  expect(page).toContain('match: { type: appReload }')
  expect(page).toContain('to: [&quot;all&quot;]')
  expect(page).not.toContain('Message of the scheduler')
  const list = await (await product.call('GET', '/console/events?type=appReload')).text()
  expect(list).toContain('App reload failed: Sales Dashboard')
  expect(list).toContain('app reload without a task')
  expect([sink.requests.length, mailbox.mails.length]).toEqual([0, 0])
}, 60_000)
