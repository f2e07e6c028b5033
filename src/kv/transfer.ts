/** Export and import: `{"format":"footman.kv/1","exportedAt":"...","namespaces":{"ns1":[{"key","value","expiresAt"}]}}`. */
import { type BodyIssue, invalidBody } from '../http/endpoint/strict-body.ts'
import { isObject } from '../http/endpoint/validation.ts'
import type { ImportedPair, KeyValueStore } from './types.ts'

const FORMAT = 'footman.kv/1'
/** Pairs read at a time: with the largest values still a modest amount of memory. */
const STEP = 20
/** Characters that go out at once. */
const PIECE = 65_536
const MAX_ISSUES = 10

/** The text piece by piece. Pairs that change meanwhile are in it as they are when their turn comes. */
export function* exportText(store: KeyValueStore, namespaces: readonly string[], now: number): Generator<string> {
  yield `{"format":"${FORMAT}","exportedAt":"${new Date(now).toISOString()}","namespaces":{`
  for (const [index, namespace] of namespaces.entries()) {
    yield `${index === 0 ? '' : ','}${JSON.stringify(namespace)}:[`
    yield* pairsText(store, namespace)
    yield ']'
  }
  yield '}}'
}

function* pairsText(store: KeyValueStore, namespace: string): Generator<string> {
  let position = 0
  for (;;) {
    const step = store.dump(namespace, position, STEP)
    for (const { key, value, expiresAt, position: at } of step) {
      const until = expiresAt === null ? null : new Date(expiresAt).toISOString()
      yield `${position === 0 ? '' : ','}${JSON.stringify({ key, value, expiresAt: until })}`
      position = at
    }
    if (step.length < STEP) return
  }
}

/** Read from the store as fast as the reader takes it. */
export function streamOf(pieces: Iterator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const parts: string[] = []
        for (let length = 0; length < PIECE; ) {
          const { value, done } = pieces.next()
          if (done) {
            if (parts.length > 0) controller.enqueue(encoder.encode(parts.join('')))
            return controller.close()
          }
          parts.push(value)
          length += value.length
        }
        controller.enqueue(encoder.encode(parts.join('')))
      },
    },
    { highWaterMark: 0 },
  )
}

/** What `exportText` wrote, by namespace. Throws 400 `VALIDATION` with the first issues. */
export function readImport(body: unknown): Map<string, readonly ImportedPair[]> {
  const issues: BodyIssue[] = []
  const complain = (path: string, message: string): void =>
    void (issues.length < MAX_ISSUES && issues.push({ path, message }))
  const { format, exportedAt: _, namespaces, ...others } = isObject(body) ? body : {}
  if (!isObject(body)) complain('body', 'must be object')
  else if (format !== FORMAT) complain('format', `must be ${FORMAT}`)
  for (const name of Object.keys(others)) complain(name, 'is unknown; known are format, exportedAt, namespaces')
  if (isObject(body) && !isObject(namespaces)) complain('namespaces', 'must be object')
  const data = new Map<string, ImportedPair[]>()
  for (const [namespace, pairs] of Object.entries(isObject(namespaces) ? namespaces : {})) {
    const path = `namespaces.${namespace}`
    if (namespace === '') complain('namespaces', 'has a namespace without name')
    if (!Array.isArray(pairs)) complain(path, 'must be array')
    else
      data.set(
        namespace.toWellFormed(),
        pairs.flatMap((pair, index) => readPair(pair, `${path}.${index}`, complain)),
      )
  }
  if (issues.length > 0) throw invalidBody(issues)
  return data
}

function readPair(pair: unknown, path: string, complain: (path: string, message: string) => void): ImportedPair[] {
  if (!isObject(pair)) {
    complain(path, 'must be object')
    return []
  }
  const { key, value, expiresAt = null, ...others } = pair
  for (const name of Object.keys(others)) complain(`${path}.${name}`, 'is unknown; known are key, value, expiresAt')
  if (typeof key !== 'string' || key === '') complain(`${path}.key`, 'must be a text that is not empty')
  if (typeof value !== 'string') complain(`${path}.value`, 'must be string')
  const until = expiresAt === null ? null : Date.parse(String(expiresAt))
  if (Number.isNaN(until)) complain(`${path}.expiresAt`, 'must be null or an ISO 8601 time')
  return [{ key: String(key).toWellFormed(), value: String(value).toWellFormed(), expiresAt: until }]
}
