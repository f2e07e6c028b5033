/** E-mail addresses as they stand in configuration files, custom properties and user attributes. */

const MAX_ADDRESS = 254
const MAX_LOCAL_PART = 64
const MAX_LABEL = 63
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/
const LAST_LABEL = /^[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]$/

/** Several addresses may stand in one text, separated by `,` or `;`. */
export function splitAddresses(texts: readonly string[]): readonly string[] {
  return texts
    .flatMap((text) => text.split(/[,;]/))
    .map((address) => address.trim())
    .filter((address) => address !== '')
}

/** Keeps the first spelling of each address; capitals do not make another address. */
export function uniqueAddresses(addresses: readonly string[]): readonly string[] {
  const seen = new Set<string>()
  return addresses.filter((address) => {
    const key = address.toLowerCase()
    return !seen.has(key) && seen.add(key)
  })
}

/** The addresses that mail servers everywhere accept: ASCII, a dot in the domain, no quoted local parts. */
export function isEmailAddress(address: string): boolean {
  const at = address.lastIndexOf('@')
  const local = address.slice(0, at)
  const labels = address.slice(at + 1).split('.')
  if (at < 1 || address.length > MAX_ADDRESS || local.length > MAX_LOCAL_PART) return false
  if (!LOCAL_PART.test(local) || labels.length < 2) return false
  return labels.every((label) => label.length <= MAX_LABEL && LABEL.test(label)) && LAST_LABEL.test(labels.at(-1)!)
}

/**
 * An empty list allows every domain; `@acme.example` and `acme.example` mean the same. Subdomains must be listed. Mail servers
 * may send `x%other.example@acme.example` and `other.example!x@acme.example` on to the other domain, so a list refuses both.
 */
export function isAllowedDomain(address: string, allowed: readonly string[]): boolean {
  if (allowed.length === 0) return true
  const domain = domainOf(address)
  const mayBeRouted = /[%!]/.test(address)
  return !mayBeRouted && allowed.some((name) => name.trim().replace(/^@/, '').toLowerCase() === domain)
}

/** Lower case, without the `@`. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase()
}
