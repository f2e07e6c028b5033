/** The login as a real mail would do it, without a mail. */
import { createMailTransport } from '../../../../alerts/destinations/email/transport.ts'
import { trouble } from '../../net/trouble.ts'
import type { DoctorContext, Finding } from '../../types.ts'
import { type MailSubject, mailFinding } from './subject.ts'

/** From here on somebody who waits for an alert notices. */
const SLOW_MS = 5000

export async function loginFindings(context: DoctorContext, subject: MailSubject): Promise<Finding[]> {
  const { config, timeout } = context
  const transport = createMailTransport(config, { connectMs: timeout, greetingMs: timeout, silenceMs: timeout })
  const since = performance.now()
  try {
    await transport.verify()
    return [welcome(context, subject, performance.now() - since)]
  } catch (error) {
    return [refusal(error as Error, context, subject)]
  } finally {
    transport.close()
  }
}

function welcome({ config }: DoctorContext, subject: MailSubject, ms: number): Finding {
  if (ms > SLOW_MS) {
    return mailFinding(subject, {
      level: 'warning',
      code: 'smtp.slow',
      message: `answers, but takes ${Math.round(ms / 1000)} s to let somebody in`,
      fix: 'look whether the server looks up the name of this machine in vain, or use another one',
    })
  }
  const { auth } = config.emailNotification.smtp
  const login = auth.enable || config.footman.email.oauth2.tokenUrl !== '' ? ', the login is accepted' : ''
  return mailFinding(subject, { level: 'ok', code: 'smtp.ready', message: `answers${login}` })
}

function refusal(error: Error & { code?: string; response?: string }, { config }: DoctorContext, subject: MailSubject) {
  const isLogin = error.code === 'EAUTH' || /^5(30|34|35|38)\b/.test(error.response ?? '')
  if (!isLogin) return trouble(error, subject)
  const oauth = config.footman.email.oauth2.tokenUrl !== ''
  const fix = oauth
    ? 'correct Butler.footman.email.oauth2; the application needs the right to send mail as this mailbox'
    : `correct ${subject.section}.auth.user and .password; Microsoft 365 and Google want Butler.footman.email.oauth2`
  return mailFinding(
    subject,
    {
      level: 'error',
      code: 'smtp.login',
      message: `the login is refused: ${(error.response ?? error.message).replace(/\s+/g, ' ')}`,
      fix,
    },
    'auth',
  )
}
