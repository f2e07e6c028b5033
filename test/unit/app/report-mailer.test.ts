/** The mail server of report tasks. */
import { expect, test } from 'bun:test'
import { createReportMailer } from '../../../src/app/reports.ts'
import { configOf, loadButler } from '../../support/config.ts'

test('without a mail server a mail is refused at once, with the key to set', async () => {
  const mailer = createReportMailer(await configOf(loadButler('footman: {reportTask: {enable: true}}')))
  expect(
    await mailer.send({
      from: 'r@acme.example',
      to: [{ name: '', address: 'anna@acme.example' }],
      subject: 'Sales',
      text: 'Figures',
    }),
  ).toEqual({
    outcome: 'rejected',
    detail: 'no mail server is configured: set Butler.emailNotification.smtp.host',
  })
  mailer.close()
})
