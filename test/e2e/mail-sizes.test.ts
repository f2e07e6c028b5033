/** A mail server that refuses a mail for its size gets it once more from the executable: shortened, without attachment. */
import { expect, test } from 'bun:test'
import { footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpAnswer, type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'

/** Refuses the first message that comes. */
function once(code: number): SmtpAnswer {
  let answers = 0
  return {
    get data() {
      return answers++ === 0 ? code : 0
    },
  }
}

async function start(mailbox: SmtpSink, site: TestSite) {
  const product = await footman({
    simulator: site.simulator,
    smtpPort: mailbox.port,
    config: {
      emailNotification: {
        reloadTaskFailure: {
          enable: true,
          rateLimit: 0,
          fromAddress: 'Qlik Sense <noreply@acme.example>',
          recipients: ['ops@acme.example'],
          alertEnableByCustomProperty: { enable: false },
        },
      },
    },
  })
  await product.start()
  return product
}

function fail(site: TestSite): void {
  site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 300 })
  site.simulator.runTask(TASK)
}

test.each([552, 523])(
  'refused with %d',
  async (code) => {
    await using site = await startSite()
    await using mailbox = await startSmtpSink()
    mailbox.answer(once(code))
    await using _ = await start(mailbox, site)
    fail(site)
    const [mail] = await mailbox.received(1, { timeout: 30_000 })
    expect(mail!.parsed.attachments).toEqual([])
    expect(mail!.parsed.text).toContain('hortened')
  },
  60_000,
)
