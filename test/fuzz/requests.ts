/** Random requests, as bytes: from calls that the description of the API shows to noise. */
import type { Described, DescribedOperation } from '../support/openapi.ts'
import type { Random } from './random.ts'
import { mutated, randomJson, randomText, urlText } from './values.ts'

export interface FuzzRequest {
  readonly bytes: Buffer
  readonly method: string
  /** False where the bytes are no HTTP request, or one of a method that the runtime's server hangs up on. */
  readonly wellFormed: boolean
}

export interface Endpoint {
  readonly method: string
  readonly path: string
  readonly operation: DescribedOperation
}

/** What the document offers. Reloads keep the engine of the site busy for longer than the run takes; the rest is fair game. */
export const endpointsOf = ({ paths }: Described): Endpoint[] =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'TRACE', 'M-SEARCH', 'get', 'BREW']
/** Bun closes the connection without an answer. */
const UNKNOWN_METHODS = ['get', 'BREW']
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'APPLICATION/JSON;charset=iso-8859-1',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/vnd.api+json',
  'application/json; charset="',
  'nonsense',
  '',
]
const OVERRIDES = ['PUT', 'delete', 'GET', 'PATCH', 'FOO BAR', '', 'POST, DELETE', 'CONNECT']
const NOISE = [
  '\r\n\r\n',
  'GET\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  'GET /v4/butlerping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'GET /v4/butlerping HTTP/1.1\r\nHost: bad host\r\n\r\n',
  'GET  /v4/butlerping  HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /v4/keyvalues/a HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n{}',
  'POST /v4/keyvalues/a HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n{}',
  'POST /v4/keyvalues/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
  'POST /v4/keyvalues/a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'GET /v4/butlerping HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n',
  'GET /v4/butlerping HTTP/1.1\r\nHost: a\r\nX: \u0000\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
]

export function randomRequest(random: Random, endpoints: readonly Endpoint[]): FuzzRequest {
  if (random.chance(0.04)) return noise(random)
  const endpoint = random.pick(endpoints)
  const method = random.chance(0.85) ? endpoint.method : random.pick(METHODS)
  const head = [`${method} ${target(random, endpoint)} HTTP/${random.chance(0.97) ? '1.1' : '1.0'}`, 'Host: 127.0.0.1']
  const body = random.chance(method === 'GET' ? 0.15 : 0.9) ? bodyOf(random, endpoint) : null
  head.push(...headers(random, body !== null))
  if (body === null) return request(method, head, '')
  if (random.chance(0.2)) return request(method, [...head, 'Transfer-Encoding: chunked'], chunked(random, body))
  return request(method, [...head, `Content-Length: ${Buffer.byteLength(body)}`], body)
}

function request(method: string, head: readonly string[], body: string): FuzzRequest {
  const bytes = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)])
  return { bytes, method, wellFormed: !UNKNOWN_METHODS.includes(method) }
}

function noise(random: Random): FuzzRequest {
  const text = random.chance(0.7) ? random.pick(NOISE) : `${random.bytes(1 + random.int(300))}\r\n\r\n`
  return { bytes: Buffer.from(text, 'latin1'), method: '', wellFormed: false }
}

/** In bytes that may stand in a request line. */
function target(random: Random, { path, operation }: Endpoint): string {
  if (random.chance(0.05)) return latin1(`/${urlText(random)}/${urlText(random)}`)
  const filled = path.replace(/\{\w+\}/g, (_, at: number) => (at < 0 ? '' : paramValue(random, operation)))
  const names = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query').map(({ name }) => name)
  const query = Array.from({ length: random.int(4) }, () => {
    const name = names.length > 0 && random.chance(0.8) ? random.pick(names) : urlText(random)
    return random.chance(0.9) ? `${name}=${urlText(random)}` : name
  })
  return latin1(query.length > 0 ? `${filled}?${query.join('&')}` : filled)
}

function paramValue(random: Random, { parameters = [] }: DescribedOperation): string {
  const shown = parameters
    .filter((parameter) => parameter.in === 'path')
    .flatMap(({ examples = {} }) => Object.values(examples).map(({ value }) => encodeURIComponent(String(value))))
  return shown.length > 0 && random.chance(0.5) ? random.pick(shown) : urlText(random)
}

/** Characters beyond Latin-1 as their UTF-8 bytes; nothing that would end the request line. */
const latin1 = (text: string): string =>
  Buffer.from(text.toWellFormed())
    .toString('latin1')
    .replace(/[\p{Cc} ]/gu, '')

function headers(random: Random, hasBody: boolean): string[] {
  const found: string[] = []
  if (hasBody && random.chance(0.9)) found.push(`Content-Type: ${random.chance(0.6) ? TYPES[0] : random.pick(TYPES)}`)
  if (hasBody && random.chance(0.1)) found.push('Expect: 100-continue')
  if (random.chance(0.1)) found.push(`X-HTTP-Method-Override: ${random.pick(OVERRIDES)}`)
  if (random.chance(0.1)) found.push(`X-Forwarded-For: ${headerText(random)}`)
  if (random.chance(0.1)) found.push(`X-Request-Id: ${headerText(random)}`)
  if (random.chance(0.1)) found.push(`Authorization: ${random.pick(['Bearer ', 'Basic ', ''])}${headerText(random)}`)
  if (random.chance(0.1)) found.push(`Idempotency-Key: ${headerText(random)}`)
  if (random.chance(0.1))
    found.push(`${random.pick(['If-Match', 'If-None-Match'])}: ${random.pick(['*', '"r1"', headerText(random)])}`)
  if (random.chance(0.1))
    found.push(`Accept: ${random.pick(['application/openmetrics-text', 'text/html', headerText(random)])}`)
  if (random.chance(0.05)) found.push(`Origin: ${random.pick(['null', 'http://evil.example', headerText(random)])}`)
  if (random.chance(0.05)) found.push(`X-Long: ${'y'.repeat(random.int(6000))}`)
  return found
}

/** What may stand in a header. */
const headerText = (random: Random): string => latin1(randomText(random)).slice(0, 500)

function bodyOf(random: Random, { operation }: Endpoint): string {
  const shown = Object.values(operation.requestBody?.content['application/json']?.examples ?? {}).map(
    ({ value }) => value,
  )
  const kind = random.int(20)
  if (shown.length > 0 && kind < 5) return JSON.stringify(random.pick(shown))
  if (shown.length > 0 && kind < 12) return JSON.stringify(mutated(random, random.pick(shown)))
  if (kind < 15) return JSON.stringify(randomJson(random))
  return random.pick(ODD_BODIES)(random)
}

const ODD_BODIES: readonly ((random: Random) => string)[] = [
  () => '',
  () => 'null',
  () => '{"a":',
  () => '{"__proto__":{"x":1}}',
  () => `\ufeff{}`,
  () => 'a=b&c=d',
  () => '['.repeat(2000) + ']'.repeat(2000),
  () => `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`,
  (random) => JSON.stringify({ key: 'k', value: 'v'.repeat(random.int(60_000)) }),
  (random) => JSON.stringify(Array.from({ length: random.int(300) }, () => randomJson(random, 1))),
  (random) => random.bytes(random.int(400)),
  () => '"'.padEnd(1_048_600, 'z'),
]

function chunked(random: Random, body: string): string {
  let text = ''
  let rest = body
  while (rest.length > 0) {
    // Not within one character.
    const piece = Array.from(rest.slice(0, 1 + random.int(5000)))
      .join('')
      .toWellFormed()
    text += `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`
    rest = rest.slice(piece.length)
  }
  return `${text}0\r\n\r\n`
}
