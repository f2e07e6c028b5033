/** Which addresses alerts may reach. */
import { isAllowedDomain, isEmailAddress } from '../platform/mail-addresses.ts'

/** Why no mail may go to this address; null when it may. */
export function addressProblem(address: string, allowedDomains: readonly string[]): string | null {
  if (!isEmailAddress(address)) return 'not a valid e-mail address'
  if (!isAllowedDomain(address, allowedDomains)) return 'the domain is not in Butler.footman.email.allowedDomains'
  return null
}
