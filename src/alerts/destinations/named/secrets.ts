/** Keeps secrets out of what is stored and shown. */
import { MASK } from '../../../platform/log-mask.ts'

/** Shorter values would mask ordinary words; as secrets they would be worth nothing. */
const MIN_LENGTH = 8

/** Replaces these values wherever they stand, in plain, JSON and URL form. */
export function createMasker(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= MIN_LENGTH)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
  const unique = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return (text) => unique.reduce((masked, form) => masked.replaceAll(form, MASK), text)
}

/** The parts of an address that may be secret: all behind the host, and its user and password. */
export function secretsOfUrl(address: string): readonly string[] {
  if (!URL.canParse(address)) return [address]
  const { pathname, search, username, password, searchParams } = new URL(address)
  const parts = pathname.split('/').filter((part) => part.length >= 12)
  return [address, `${pathname}${search}`, username, password, ...parts, ...searchParams.values()].filter(Boolean)
}

/** `host:port` of an address; what a person recognises without seeing secrets. */
export function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '(not a valid address)'
}
