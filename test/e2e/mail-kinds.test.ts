/** Distribute and preload tasks of the simulated site become mails, through the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Footman, footman } from '../support/footman.ts'
import { htmlFaults } from '../support/html-lint.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'

const SECTION = {
  enable: true,
  rateLimit: 0,
  fromAddress: 'Qlik Sense <noreply@acme.example>',
  recipients: ['ops@acme.example'],
  alertEnableByCustomProperty: { enable: false },
}

/** Task id, what the simulator makes of it, section, subject, what both parts of the mail say. */
const TASKS = [
  [
    '73000000-0000-4000-8000-000000000002',
    { outcome: 'fail', durationMs: 300 },
    'distributeTaskFailure',
    '❌ Qlik Sense distribute task failed: "Distribute of R&D"',
    ['FinishedFail (8)', 'the target tenant refused the upload'],
  ],
  [
    '73000000-0000-4000-8000-000000000001',
    { outcome: 'success', durationMs: 300 },
    'distributeTaskSuccess',
    '✅ Qlik Sense distribute task success: "Distribute of HR Insights"',
    ['FinishedSuccess (7)', 'HR Insights'],
  ],
  [
    '74000000-0000-4000-8000-000000000002',
    { outcome: 'fail', durationMs: 100 },
    'preloadTaskFailure',
    '❌ Qlik Sense preload task failed: "Preload HR"',
    ['Could not reserve an executor for task'],
  ],
  [
    '74000000-0000-4000-8000-000000000001',
    { outcome: 'success', durationMs: 100 },
    'preloadTaskSuccess',
    '✅ Qlik Sense preload task success: "Preload Sales Dashboard"',
    ['FinishedSuccess (7)', 'Sales Dashboard'],
  ],
] as const

describe('mails of the compiled executable', () => {
  let site: TestSite
  let mailbox: SmtpSink
  let product: Footman

  beforeAll(async () => {
    ;[site, mailbox] = await Promise.all([startSite(), startSmtpSink()])
    product = await footman({
      simulator: site.simulator,
      smtpPort: mailbox.port,
      config: {
        emailNotification: Object.fromEntries(TASKS.map(([, , section]) => [section, SECTION])),
        footman: { distribute: { pollInterval: '1s' } },
      },
    })
    await product.start()
  }, 60_000)

  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), mailbox?.stop()])
  })

  test.each(TASKS)(
    '%s: %p',
    async (task, behaviour, section, subject, texts) => {
      site.simulator.setTask(task, behaviour)
      site.simulator.runTask(task)
      const match = ({ raw }: { raw: string }) => raw.includes(`X-Butler-Event: ${section}`)
      const [mail] = await mailbox.received(1, { timeout: 20_000, match })
      const { html = '', text = '' } = mail!.parsed
      expect(mail!.parsed.subject).toBe(subject)
      expect(htmlFaults(html.trim())).toEqual([])
      for (const wanted of texts) {
        expect(text).toContain(wanted)
        expect(html).toContain(wanted)
      }
      expect(text).toMatch(/Started: +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]\S+\n/)
      expect(text).not.toContain('Not available')
    },
    40_000,
  )
})
