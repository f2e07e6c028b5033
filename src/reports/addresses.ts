/**
 * Which addresses reports may reach. Each place that names one asks here: definitions when they are saved, runs when they
 * plan, the hub when a reader signs in; and the mailer asks once more about each mail that leaves.
 */
import { isAllowedDomain, isEmailAddress } from '../platform/mail-addresses.ts'

export interface AddressProblem {
  readonly code: 'ADDRESS_INVALID' | 'ADDRESS_NOT_ALLOWED'
  /** Reason why an address cannot be used, and the remedy. */
  readonly message: string
}

/** Why no report may go to the address; null when it may. `allowedDomains`: empty = all. */
export function addressProblem(address: string, allowedDomains: readonly string[]): AddressProblem | null {
  if (!isEmailAddress(address)) return { code: 'ADDRESS_INVALID', message: NOT_ONE }
  if (!isAllowedDomain(address, allowedDomains)) return { code: 'ADDRESS_NOT_ALLOWED', message: NOT_ALLOWED }
  return null
}

const NOT_ONE =
  'Must be one e-mail address like anna@company.com, in ASCII letters; a domain with others in its form xn--...'
const NOT_ALLOWED =
  'Reports may not go to this address: Butler.footman.reportTask.allowedRecipientDomains does not list its domain'

/** The addresses between which mails of a task travel; the sender gets mails that cannot be delivered, with the reports. */
export interface SenderRules {
  readonly allowedDomains: readonly string[]
  /** `reportTask.fromAddress`, or what stands for it. */
  readonly fromAddress: string
}

export interface Mailbox {
  readonly name: string
  readonly address: string
}

/** `anna@company.com` or `Anna Berg <anna@company.com>`; null for a list, a group, a comment, and a name that looks like an address. */
export function mailboxOf(text: string): Mailbox | null {
  const start = text.indexOf('<')
  if (start === -1) return { name: '', address: text.trim() }
  if (!text.endsWith('>')) return null
  const given = text.slice(0, start).trim()
  const isQuoted = given.length > 1 && given.startsWith('"') && given.endsWith('"')
  const name = isQuoted ? given.slice(1, -1) : given
  const isPlain = isQuoted ? !/["\\<>@\p{C}]/u.test(name) : !/["\\<>@()[\],;:\p{C}]/u.test(name)
  return isPlain ? { name, address: text.slice(start + 1, -1) } : null
}

/** Why a task may not send mails from the mailbox, or have replies sent to it; null when it may. */
export function senderProblem(text: string, { allowedDomains, fromAddress }: SenderRules): AddressProblem | null {
  if (text === fromAddress) return null
  const address = mailboxOf(text)?.address ?? ''
  const own = mailboxOf(fromAddress)?.address ?? ''
  const ownDomain = isEmailAddress(own) && allowedDomains.length > 0 ? [own.slice(own.lastIndexOf('@') + 1)] : []
  return addressProblem(address, [...allowedDomains, ...ownDomain])
}
