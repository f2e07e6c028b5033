/** The mail server of report tasks, and the last check of the addresses of each mail. */
import type { SendMailOptions } from 'nodemailer'
import type { Refusal } from '../alerts/types.ts'
import { addressProblem, type Mailbox, type SenderRules, senderProblem } from './addresses.ts'

/** A mail whose addresses are parsed: nothing but `from` of the configuration is left to the mail transport to read. */
export interface ReportMail
  extends Omit<SendMailOptions, 'from' | 'sender' | 'replyTo' | 'to' | 'cc' | 'bcc' | 'envelope'> {
  readonly from: string | Mailbox
  readonly replyTo?: Mailbox
  readonly to: Mailbox[]
  readonly cc?: Mailbox[]
  readonly bcc?: Mailbox[]
  /** Those of the addresses that get it; absent = all of them. */
  readonly only?: readonly string[]
}

/** The mail server, one mail at a time over one connection. */
export interface ReportMailer {
  send(mail: ReportMail): Promise<MailOutcome>
}

export type MailOutcome =
  | { readonly outcome: 'sent'; readonly detail: string }
  /** Some of its addresses were refused, or each for a reason of its own, or have it perhaps; the others have it. */
  | { readonly outcome: 'divided'; readonly detail: string; readonly refused: readonly Refusal[] }
  /** `peerDown`: no mail would get through now. */
  | { readonly outcome: 'retry'; readonly detail: string; readonly peerDown: boolean }
  /** `tooLarge`: one without its files may be taken. */
  | { readonly outcome: 'rejected'; readonly detail: string; readonly tooLarge?: boolean }
  /** The server may have accepted the mail: the connection broke after the content was sent. */
  | { readonly outcome: 'unknown'; readonly detail: string }

/** Refuses a mail with an address that reports may not reach, whichever part has made it. */
export function guardMailer<Mailer extends ReportMailer>({ send, ...rest }: Mailer, rules: SenderRules) {
  return {
    ...rest,
    async send(mail: ReportMail): Promise<MailOutcome> {
      const refused = refusedAddress(mail, rules)
      return refused === null ? send(mail) : { outcome: 'rejected', detail: refused }
    },
  }
}

/** The first address that is refused, with the reason; null when the mail may leave. */
function refusedAddress(
  { from, replyTo, to, cc = [], bcc = [], only = [] }: ReportMail,
  rules: SenderRules,
): string | null {
  for (const one of [from, replyTo]) {
    const text = typeof one === 'object' ? one.address : one
    const problem = text === undefined ? null : senderProblem(text, rules)
    if (problem) return `${text}: ${problem.message}`
  }
  const addresses = [...to, ...cc, ...bcc].map(({ address }) => address)
  for (const address of [...addresses, ...only]) {
    const problem = addressProblem(address, rules.allowedDomains)
    if (problem) return `${address}: ${problem.message}`
  }
  return null
}
