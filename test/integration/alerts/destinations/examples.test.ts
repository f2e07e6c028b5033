/** The request of every type of destination, whole, against examples written by hand. */
import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { DESTINATION_TYPES } from '../../../../src/alerts/destinations/index.ts'
import type { RenderInput } from '../../../../src/alerts/types.ts'
import { DESTINATION_EXAMPLES, type DestinationExample } from '../../../support/destination-types.ts'
import { type HttpSink, startHttpSink } from '../../../support/http-sink.ts'
import { exampleEvent, inputFor, namedDestination } from '../../../support/named.ts'

let sink: HttpSink

beforeAll(async () => {
  sink = await startHttpSink()
})
afterEach(() => {
  sink.requests.length = 0
})
afterAll(() => sink.stop())

/** Those that are no HTTP request have tests of their own. */
const OTHER_TYPES = ['email', 'mqtt']

test('every type has a row', () => {
  const types = Object.keys(DESTINATION_TYPES).filter((type) => !OTHER_TYPES.includes(type))
  expect(Object.keys(DESTINATION_EXAMPLES).sort()).toEqual(types.sort())
})

async function sent({ settings, success }: Pick<DestinationExample, 'settings' | 'success'>, input: RenderInput) {
  sink.answer(success)
  const { send, destination, urls } = namedDestination(settings, { sink })
  const { message, result } = await send(input)
  await destination.close?.()
  return { request: sink.requests.at(-1)!, url: urls.at(-1), message, result, target: destination.targets(input.event) }
}

/** A body as it is sent: a text, such as a form, as it stands. */
const written = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body))

for (const [name, example] of Object.entries(DESTINATION_EXAMPLES)) {
  test(`${name}: the request of an alert`, async () => {
    const { request, url, message, result, target } = await sent(example, inputFor(exampleEvent()))
    expect(result).toEqual({ outcome: 'delivered', detail: `HTTP ${example.success.status}` })
    expect(url).toBe(example.url)
    expect(request.method).toBe('POST')
    expect(request.headers).toMatchObject({
      'user-agent': 'Footman/1.0.0',
      'idempotency-key': '019cad24-c0ec-7b7c-b06b-c8fb46460cb1',
      ...example.headers,
    })
    if (example.body !== undefined) expect(request.body).toBe(written(example.body))
    expect(target.map((planned) => planned.target)).toEqual([example.target])
    expect(message.subject).toBe('Reload failed: Financial Dashboard Reload')
    expect(JSON.stringify([message.body, message.subject, target, result])).not.toContain(example.secret)
  })

  const { recovery } = example
  if (!recovery) continue
  test(`${name}: the request of a recovery`, async () => {
    const event = exampleEvent({ outcome: 'success', severity: 'info' })
    const { request, url } = await sent(example, inputFor(event, { kind: 'recovery' }))
    expect(url).toBe(recovery.url ?? example.url)
    expect(request.body).toBe(written(recovery.body))
  })
}

test('discord with roles and thread', async () => {
  const { settings, success } = DESTINATION_EXAMPLES.discord!
  const changed = { ...settings, threadId: '42', mentionRoles: ['123'] }
  const { request, url } = await sent({ settings: changed, success }, inputFor(exampleEvent()))
  expect(url).toBe('https://discord.com/api/webhooks/123456/abcdefghijklmnop?wait=true&thread_id=42')
  expect(JSON.parse(request.body)).toMatchObject({
    content: '<@&123>',
    allowed_mentions: { parse: [], roles: ['123'] },
  })
})
