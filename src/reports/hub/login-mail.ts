/** Mails the links that sign readers in. */
import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from '../../platform/errors.ts'
import { LINK_MINUTES, type Logins } from './login.ts'
import type { HubDeps, HubParts, HubSettingsOf } from './types.ts'

const RETRY_MS = [5000, 30_000, 120_000]

interface LinkMailer extends Pick<HubParts, 'mailLink'> {
  /** Gives up mails that wait for the mail server. */
  stop(): Promise<void>
}

export function createLinkMailer(
  { logins, mailer, log }: Pick<HubDeps, 'mailer' | 'log'> & { readonly logins: Logins },
  settings: Pick<HubSettingsOf, 'base' | 'fromAddress' | 'testAddress' | 'linkRetryMs'>,
): LinkMailer {
  const stopping = new AbortController()
  const underWay = new Set<Promise<void>>()

  async function makeLink(address: string, client: string, next: string): Promise<void> {
    const token = await logins.requestLink(address, client, next)
    if (token === null) {
      log.info(`REPORTTASK: hub: no login link for ${address} asked by ${client}: too many within the hour`)
      return
    }
    if (!logins.isKnown(address)) {
      log.verbose(`REPORTTASK: hub: no login link for ${address}: the address is not known`)
      return
    }
    if (settings.testAddress !== null && settings.testAddress.toLowerCase() !== address) {
      log.info(`REPORTTASK: hub: no login link for ${address}: Butler.footman.email.testMode is on`)
      return
    }
    await send(address, `${settings.base}/hub/login/${token}`)
  }

  async function send(address: string, url: string): Promise<void> {
    for (const wait of [...(settings.linkRetryMs ?? RETRY_MS), null]) {
      const result = await mailer.send(letter(settings.fromAddress, address, url))
      if (result.outcome === 'sent') return
      if (result.outcome !== 'retry' || wait === null) {
        log.warn(`REPORTTASK: hub: login link for ${address} was not sent: ${result.detail}`)
        return
      }
      await pause(wait, undefined, { signal: stopping.signal })
    }
  }

  return {
    mailLink(address, client, next) {
      const work = new Promise((resolve) => setImmediate(resolve))
        .then(() => makeLink(address, client, next))
        .catch((error: unknown) => log.warn(`REPORTTASK: hub: login link: ${errorText(error)}`))
        .finally(() => underWay.delete(work))
      underWay.add(work)
    },
    async stop() {
      stopping.abort()
      await Promise.all(underWay)
    },
  }
}

/** The mail for nodemailer. */
function letter(from: string, address: string, url: string) {
  const words = `This link signs you in to your reports. It works once, for ${LINK_MINUTES} minutes. If you did not ask for it, ignore this mail.`
  const page = `<p>${words}</p><p><a href="${url}">Sign in to your reports</a></p>`
  return {
    from,
    to: [{ name: '', address }],
    subject: 'Sign in to your reports',
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    text: `${words}\n\n${url}\n`,
    html: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head><body>${page}</body></html>`,
  }
}
