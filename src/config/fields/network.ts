/** Hosts, ports, addresses and URLs. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { type FieldNotes, noted, outside, withDefault } from './basic.ts'

const HOST_LABEL = /^[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?$/
const URI = /^[a-zA-Z][a-zA-Z0-9+.-]*:[^\s<>{}"\\^`|]+$/

/** A host name or an IP address, without scheme and port. */
export function isHost(value: string): boolean {
  if (isIP(value) !== 0) return true
  if (value.length === 0 || value.length > 253) return false
  return value.split('.').every((label) => label.length <= 63 && HOST_LABEL.test(label))
}

/** An address (`10.1.2.3`, `::1`) or a network (`10.0.0.0/8`). */
export function isCidr(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  if (bits === undefined) return true
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
}

const hostText = z.string().refine((value) => value === '' || isHost(value), {
  error: (issue) => `must be a host name or an IP address without scheme and port, found "${issue.input}"`,
})

/** '' = not set. */
export function host(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(hostText, description, fallback, { format: 'host', ...notes })
}

export function port(description: string, fallback: number, notes: FieldNotes = {}) {
  const range = { min: 1, max: 65535 }
  const error = outside(range)
  const schema = z.int().min(range.min, { error }).max(range.max, { error })
  return noted(schema.default(fallback), { description, range, ...notes })
}

/** An absolute address of any scheme; '' = not set. */
export function uri(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(uriText, description, fallback, { format: 'uri', ...notes })
}

const uriText = z.string().refine((value) => value === '' || URI.test(value), {
  error: (issue) => `must be an address with a scheme, like https://host/path, found "${issue.input}"`,
})

const httpText = z.string().refine((value) => value === '' || isHttpUrl(value), {
  error: 'must be an address that starts with http:// or https://',
})

/** '' = not set. */
export function httpUrl(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(httpText, description, fallback, { format: 'uri', ...notes })
}

export function requiredHttpUrl(description: string) {
  return noted(httpText.min(1), { description, format: 'uri' })
}

/** An item of an address list. */
export const cidr = z.string().refine(isCidr, {
  error: (issue) => `must be an IP address or a network like 10.0.0.0/8, found "${issue.input}"`,
})

function isHttpUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol } = new URL(value)
  return protocol === 'http:' || protocol === 'https:'
}
