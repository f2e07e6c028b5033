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
