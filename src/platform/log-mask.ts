/** Keeps secrets out of the log: known values anywhere, and the values of fields whose name is that of a secret. */
import type { LogFields } from './types.ts'

export const MASK = '**********'

export interface LogMask {
  text(message: string): string
  /** A plain, JSON-safe copy of the fields (errors become objects, cycles are cut) without secrets. */
  fields(fields: LogFields): Record<string, unknown>
}

/** Masking shorter values would hide half of every line; secrets that short protect nothing. */
const MIN_SECRET_LENGTH = 4
const MAX_DEPTH = 8

const SECRET_NAME =
  /^(authorization|proxy-authorization|cookie|set-cookie)$|api[-_]?key|passw(or)?d|passphrase|secret|token|private[-_]?key|credential/i

/** Secrets in running text: JSON members, header lines, query parameters, tokens, API keys, user info of URLs. */
const TEXT_RULES: readonly (readonly [RegExp, string])[] = [
  [
    /("[\w-]{0,40}(?:password|passwd|passphrase|secret|token|api[-_]?key|authorization|cookie)[\w-]{0,40}"\s*:\s*")(?:[^"\\]|\\.)*"/gi,
    `$1${MASK}"`,
  ],
  [/((?<![.\w])(?:proxy-)?authorization\s*[:=]\s*)(?:(bearer|basic|digest)\s+)?[^\s"',;]+/gi, `$1${MASK}`],
  [/((?<![.\w])(?:x-api-key|api-key|set-cookie|cookie)\s*:\s*)[^\s"',;]+/gi, `$1${MASK}`],
  [
    /([?&;\s][\w-]{0,40}(?:password|passwd|passphrase|secret|token|api[-_]?key|signature|sig)[\w-]{0,40}=)[^&\s"']+/gi,
    `$1${MASK}`,
  ],
  [/\bfm_[\w-]{43}/g, MASK],
  [/(\bbearer\s+)(?=\S*[\d.])[\w.~+/=-]{16,}/gi, `$1${MASK}`],
  [/(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{0,200}:)[^\s@/]{1,200}@/gi, `$1${MASK}@`],
]

/** Runs of the characters of JSON Web Tokens, each as a whole, so that none is read more than once. */
const RUNS = /[\w.-]{16,}/g

/** JSON Web Tokens in a run of their characters: `eyJ`, a dot, and two parts more. */
function withoutTokens(run: string): string {
  if (!run.includes('eyJ')) return run
  const parts = run.split('.')
  const shown: string[] = []
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!
    const at = parts[index + 1] && parts[index + 2] ? part.search(/\beyJ[\w-]{10}/) : -1
    shown.push(at < 0 ? part : part.slice(0, at) + MASK)
    if (at >= 0) index += 2
  }
  return shown.join('.')
}

/** Each rule above needs one of these words; most lines contain none and skip the rules. */
const SUSPICIOUS = /passw|passphrase|secret|token|api[-_]?key|sig|authorization|cookie|fm_|eyJ|bearer|:\/\//i

/**
 * Calls `secrets` for every line, so that values of a changed configuration are masked at once. A secret that is a part of
 * one of `hosts`, as a short password may be, stays readable in that host name.
 */
export function createLogMask(secrets: () => readonly string[], hosts: () => readonly string[] = () => []): LogMask {
  let known: readonly string[] = []
  let spared: ReadonlySet<string> = new Set()
  let pattern: RegExp | null = null

  function currentPattern(): RegExp | null {
    const now = secrets()
    if (now === known) return pattern
    known = now
    spared = new Set(hosts().filter((host) => !now.includes(host) && now.some((secret) => host.includes(secret))))
    pattern = buildPattern(now, spared)
    return pattern
  }

  function text(message: string): string {
    const values = currentPattern()
    let masked = values ? message.replace(values, (found) => (spared.has(found) ? found : MASK)) : message
    if (!SUSPICIOUS.test(masked)) return masked
    for (const [rule, replacement] of TEXT_RULES) masked = masked.replace(rule, replacement)
    return masked.replace(RUNS, withoutTokens)
  }

  function value(input: unknown, name: string, seen: readonly object[]): unknown {
    if (SECRET_NAME.test(name) && (typeof input === 'string' || (typeof input === 'object' && input !== null))) {
      return input === '' ? '' : MASK
    }
    if (typeof input === 'string') return text(input)
    if (typeof input === 'bigint') return input.toString()
    if (typeof input === 'function' || typeof input === 'symbol') return undefined
    if (typeof input !== 'object' || input === null) return input
    if (seen.includes(input)) return '[circular]'
    if (seen.length >= MAX_DEPTH) return '[deep]'
    return object(input, [...seen, input])
  }

  function object(input: object, seen: readonly object[]): unknown {
    if (input instanceof Date) return Number.isNaN(input.getTime()) ? null : input.toISOString()
    if (input instanceof Uint8Array) return `[${input.length} bytes]`
    if (input instanceof Error) return error(input, seen)
    if (Array.isArray(input)) return input.map((item) => value(item, '', seen))
    if (input instanceof Map || input instanceof Set) return [...input].map((item) => value(item, '', seen))
    return members(input, seen)
  }

  function members(input: object, seen: readonly object[]): Record<string, unknown> {
    const entries = Object.entries(input)
    // A header or setting in the form {name, value}: its name decides whether the value is masked.
    const named = entries.find(([key, item]) => /^(name|key|header)$/i.test(key) && typeof item === 'string')
    return Object.fromEntries(
      entries.map(([key, item]) => [key, value(item, key === 'value' && named ? String(named[1]) : key, seen)]),
    )
  }

  function error(input: Error, seen: readonly object[]): Record<string, unknown> {
    const { name, message, stack, cause, ...rest } = input as Error & { cause?: unknown }
    const copy: Record<string, unknown> = { type: input.name, message: text(input.message), ...members(rest, seen) }
    if (input.stack) copy.stack = text(input.stack)
    if (input.cause !== undefined) copy.cause = value(input.cause, '', seen)
    return copy
  }

  return { text, fields: (fields) => members(fields, [fields]) }
}

function buildPattern(secrets: readonly string[], spared: ReadonlySet<string>): RegExp | null {
  const forms = secrets
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
  if (forms.length === 0) return null
  const unique = [...new Set([...forms, ...spared])].sort((a, b) => b.length - a.length)
  return new RegExp(unique.map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g')
}
