/** A slow script log on the simulated site: who does not show it is told at once, also across kill -9. */
import { afterEach, expect, test } from 'bun:test'
import { footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { startSite } from '../support/simulator.ts'
import { startSmtpSink } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const WAIT = { timeout: 20_000 }
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

test('webhook and phone do not wait for the script log, the mail has it; killed in between, each is told once', async () => {
  const [site, sink, mailbox] = await Promise.all([startSite(), startHttpSink(), startSmtpSink()])
  cleanups.push(
    async () => site[Symbol.asyncDispose](),
    () => sink.stop(),
    () => mailbox.stop(),
  )
  sink.answer({ body: '{}' })
  const product = await footman({
    simulator: site.simulator,
    webhookUrl: `${sink.url}/hook`,
    smtpPort: mailbox.port,
    config: {
      footman: {
        dataDirectory: 'data',
        destinations: { phone: { type: 'ntfy', server: `${sink.url}/ntfy`, topic: 'qlik' } },
        alertRoutes: [{ name: 'night', to: ['phone'], title: '{{taskName}} has failed', body: '{{logMessage}}' }],
      },
    },
  })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  await product.start()
  site.simulator.modes.scriptLog.delayMs = 8000
  site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100 })
  site.simulator.runTask(TASK)

  const delivered = () =>
    product
      .rows<{ route: string }>(`SELECT route FROM delivery WHERE state = 'delivered' ORDER BY route`)
      .map(({ route }) => route)
  await until(() => delivered().length === 2, WAIT)
  const early = ['butler.webhookNotification.reloadTaskFailure', 'night']
  expect(delivered()).toEqual(early)
  expect(product.rows('SELECT state, missing_parts AS missing FROM event')).toEqual([
    { state: 'pending', missing: '[]' },
  ])
  expect(mailbox.mails).toHaveLength(0)
  await product.process.kill9()
  await product.start()

  const [mail] = await mailbox.received(1, WAIT)
  expect(mail!.parsed.text).toContain('Execution Failed')
  await until(() => delivered().length === 3, WAIT)
  expect(sink.requests.map(({ url }) => url).toSorted()).toEqual(['/hook', '/ntfy/'])
  const [phone] = sink.requests.filter(({ url }) => url === '/ntfy/')
  expect(JSON.parse(phone!.body)).toMatchObject({
    title: 'Financial Dashboard Reload has failed',
    message: 'Max retries reached',
  })
  expect(mailbox.mails).toHaveLength(1)
}, 60_000)

/**
 * What a part of the alert is asked for with, and how the mail names the part. In this order: an answer about an app or
 * an owner that was good is used again for some seconds.
 */
const ASKED = [
  { match: '/app/full', part: 'app' },
  { match: '/user/', part: 'owner' },
  { match: '/scriptlog', part: 'script log' },
  { match: '/download/', part: 'script log' },
  { match: '/executionresult/', part: 'result of the execution' },
] as const
const REFUSALS = { 400: '400 Bad Request', 403: '403 Forbidden', 404: '404 Not Found', 410: '410 Gone' } as const

/** Failed reloads of one task, with its mails; the node is in the subject. */
async function failures() {
  const [site, mailbox] = await Promise.all([startSite(), startSmtpSink()])
  cleanups.push(
    async () => site[Symbol.asyncDispose](),
    () => mailbox.stop(),
  )
  const config = { emailNotification: { reloadTaskFailure: { subject: 'on {{executingNodeName}}' } } }
  const product = await footman({ simulator: site.simulator, smtpPort: mailbox.port, config })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  await product.start()
  site.simulator.modes.scriptLog.delayMs = 0
  site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 50 })
  return { site, mailbox, product }
}

test('an answer of QRS that is final ends the waiting for a part, and the mail names it', async () => {
  const { site, mailbox } = await failures()
  for (const { match, part } of ASKED) {
    for (const [status, answer] of Object.entries(REFUSALS)) {
      const before = Date.now()
      const count = mailbox.mails.length
      site.simulator.fault({ listener: 'qrs', match, mode: 'status', args: [Number(status)] })
      site.simulator.runTask(TASK)
      const { text, subject } = (await mailbox.received(count + 1, WAIT)).at(-1)!.parsed
      const seconds = (Date.now() - before) / 1000
      site.simulator.clearFaults()
      const name = `${match} ${answer}`
      const body = text!.replace(/\s+/g, ' ')
      // The task names its last result too.
      const isNamed = match === '/executionresult/' || (body.includes(answer) && body.includes(part))
      expect({ name, isNamed, blamesSilence: /did not answer/.test(body) }).toEqual({
        name,
        isNamed: true,
        blamesSilence: false,
      })
      expect({ name, subject }).toEqual({ name, subject: expect.stringMatching(/^on qs-(?:central|reload1)$/) })
      expect({ name, inTime: seconds < (match === '/download/' ? 12 : 5) }).toEqual({ name, inTime: true })
    }
  }
}, 240_000)

test('an outage of QRS is waited for, whatever it was asked about', async () => {
  const { site, mailbox, product } = await failures()
  const run = async () => {
    const count = mailbox.mails.length
    site.simulator.runTask(TASK)
    await until(() => product.rows('SELECT 1 FROM event').length === count + 1, WAIT)
  }
  site.simulator.fault({ listener: 'qrs', match: '/(?:scriptlog|app/full)', mode: 'status', args: [500] })
  const refused = () => site.simulator.requests().filter(({ status }) => status === 500).length
  await run()
  const before = refused()
  await until(() => refused() > before + 8, { ...WAIT, state: refused })
  expect(mailbox.mails).toHaveLength(0)
  site.simulator.clearFaults()
  const [mail] = await mailbox.received(1, WAIT)
  expect(mail!.parsed.text).toContain('Execution Failed')
}, 60_000)

test('New Relic gets the steps of the execution although the script log is refused', async () => {
  const [site, sink] = await Promise.all([startSite(), startHttpSink()])
  cleanups.push(
    async () => site[Symbol.asyncDispose](),
    () => sink.stop(),
  )
  sink.answer({ status: 202, body: '{}' })
  const toMain = { sendToAccount: { always: { enable: true, account: ['main'] } } }
  const product = await footman({
    simulator: site.simulator,
    config: {
      incidentTool: {
        newRelic: {
          enable: true,
          url: { event: `${sink.url}/event`, log: `${sink.url}/log` },
          reloadTaskFailure: { destination: { event: { enable: false }, log: { enable: true, ...toMain } } },
        },
      },
      thirdPartyToolsCredentials: { newRelic: [{ accountName: 'main', accountId: '7', insertApiKey: 'k' }] },
    },
  })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  await product.start()
  site.simulator.fault({ listener: 'qrs', match: '/scriptlog', mode: 'status', args: [403] })
  site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(TASK)
  const [request] = await sink.received(1, WAIT)
  const [{ common, logs }] = JSON.parse(request!.body)
  expect(common.attributes).toMatchObject({ logtype: 'qs_reloadTaskFailedLog', qs_executionStatusNum: 8 })
  const [details, note] = logs[0].message.split(`\r\n${'-'.repeat(31)}\r\n\r\n`)
  expect(details).toMatch(/^\d{4}-\S+Z\tChanging task state to Triggered\n/)
  expect(details).toContain('\tChanging task state from Started to FinishedFail\n')
  expect(note).toBe(
    'Script log not available for this reload task. Qlik Sense answered 403 Forbidden: the user in Butler.configQRS.headers.static (X-Qlik-User) needs a security rule of the QMC to read ReloadTask_*.',
  )
}, 60_000)
