/** What a destination makes of answers, and of none; and that no secret gets out on the way. */
import { afterEach, describe, expect, test } from 'bun:test'
import { DESTINATION_EXAMPLES } from '../../../support/destination-types.ts'
import { BROKEN_BODIES, type HttpSink } from '../../../support/http-sink.ts'
import { exampleEvent, inputFor, namedDestination } from '../../../support/named.ts'
import { closeSinks, sinkThat } from '../../../support/named-sinks.ts'
import { closeOutboxes, startOutbox } from '../../../support/outbox.ts'
import { until } from '../../../support/wait.ts'

afterEach(async () => {
  await closeOutboxes()
  await closeSinks()
})

async function resultOf(settings: Parameters<typeof namedDestination>[0], sink: HttpSink, timeoutMs?: number) {
  const { send, destination } = namedDestination(settings, { sink, ...(timeoutMs ? { timeoutMs } : {}) })
  const { result } = await send(inputFor(exampleEvent()))
  await destination.close?.()
  return result
}

const RETRY_AFTER = { status: 429, headers: { 'retry-after': '2' } }

for (const [name, { settings, secret, success, busy = RETRY_AFTER, failure = 500 }] of Object.entries(
  DESTINATION_EXAMPLES,
)) {
  describe(name, () => {
    test('an ordinary success', async () => {
      expect((await resultOf(settings, await sinkThat(success))).outcome).toBe('delivered')
    })

    test('429 with a pause in its own form', async () => {
      const { send, destination } = namedDestination(settings, { sink: await sinkThat(busy) })
      const { result } = await send(inputFor(exampleEvent()))
      expect(result).toMatchObject({ outcome: 'retry', retryAfterMs: 2000 })
      // The other messages wait too, except those to other accounts of New Relic; OTLP sends all that wait in one request.

      expect(destination.ready?.() ?? true).toBe(name === 'newrelic' || name === 'otlp')
      await destination.close?.()
    })

    test('a refusal for good, also by a redirect, which is not followed', async () => {
      const elsewhere = await sinkThat()
      const redirecting = await sinkThat({ status: 307, headers: { location: elsewhere.url } })
      expect((await resultOf(settings, redirecting)).outcome).toBe('rejected')
      expect((await resultOf(settings, await sinkThat({ status: 413 }))).outcome).toBe('rejected')
      expect(elsewhere.requests).toEqual([])
    })

    test('down, silent, cut off', async () => {
      const down = await sinkThat()
      await down.down()
      expect(await resultOf(settings, down)).toMatchObject({ outcome: 'retry', peerDown: true })
      const silent = await sinkThat({ hang: true })
      expect(await resultOf(settings, silent, 100)).toMatchObject({ outcome: 'retry', peerDown: true })
      expect(await resultOf(settings, await sinkThat({ reset: true }))).toMatchObject({ outcome: 'retry' })
    })

    test('a 2xx status counts, whatever the body does', async () => {
      for (const broken of BROKEN_BODIES) {
        const sink = await sinkThat({ ...success, broken })
        const { outcome } = await resultOf(settings, sink, broken === 'stalls' ? 500 : undefined)
        expect([broken, outcome, sink.requests.length]).toEqual([broken, 'delivered', 1])
      }
    })

    test('the signal of the outbox ends an attempt', async () => {
      const silent = await sinkThat({ hang: true })
      const { destination, aimed } = namedDestination(settings, { sink: silent })
      const message = await destination.render(aimed(inputFor(exampleEvent())))
      const cut = new AbortController()
      const ended = destination.deliver([message], cut.signal)
      await silent.received(1)
      cut.abort()
      expect(await ended).toMatchObject([{ outcome: 'retry' }])
      await destination.close?.()
    })

    test('fails three times, then one delivery with four attempts', async () => {
      const sink = await sinkThat(success)
      sink.answerOnce({ status: failure }, { status: failure }, { status: failure })
      const { destination } = namedDestination(settings, { sink })
      const box = startOutbox({
        plan: (event) => destination.targets(event),
        render: (input) => destination.render(input),
        deliver: async (message, signal) => (await destination.deliver([message], signal))[0]!,
      })
      box.outbox.start()
      await box.fire()
      const [row] = (await box.allIn('delivered')) && box.rows()
      expect(row).toMatchObject({ state: 'delivered', attempts: 4 })
      expect(sink.requests).toHaveLength(4)
      expect(new Set(sink.requests.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set([row!.id]))
      await destination.close?.()
    })

    test('no secret in what is stored, told or logged, even when the peer repeats it', async () => {
      const said = JSON.stringify({ message: `no access with ${secret}`, error: secret, description: secret })
      const told: unknown[] = []
      for (const status of [400, 401, 403, 404, 410, 500]) {
        const { send, destination, log } = namedDestination(settings, { sink: await sinkThat({ status, body: said }) })
        const { message, result } = await send(inputFor(exampleEvent()))
        const { payload: _, ...stored } = message
        told.push(stored, result, destination.targets(exampleEvent()), destination.name, log.lines)
        await destination.close?.()
      }
      expect(JSON.stringify(told)).not.toContain(secret)
    })
  })
}

test('what a person has to mend is tried again slowly, with the words of the service', async () => {
  const { settings } = DESTINATION_EXAMPLES.ntfy!
  const sink = await sinkThat({ status: 403, body: '{"code":40301,"http":403,"error":"forbidden"}' })
  expect(await resultOf(settings, sink)).toEqual({ outcome: 'retry', slow: true, detail: 'HTTP 403: forbidden' })
})

test('OTLP repeats nothing but 429, 502, 503, 504 and requests without an answer', async () => {
  const { settings } = DESTINATION_EXAMPLES.otlp!
  for (const status of [400, 401, 404, 408, 500, 501]) {
    expect((await resultOf(settings, await sinkThat({ status }))).outcome).toBe('rejected')
  }
  for (const status of [429, 502, 503, 504]) {
    expect((await resultOf(settings, await sinkThat({ status }))).outcome).toBe('retry')
  }
})

test('the next attempt after a 429 is not earlier than Discord says', async () => {
  const { settings, success } = DESTINATION_EXAMPLES.discord!
  const sink = await sinkThat(success)
  sink.answerOnce({ status: 429, body: '{"retry_after":0.4}' })
  const { destination } = namedDestination(settings, { sink })
  const box = startOutbox({
    render: (input) => destination.render(input),
    deliver: async (message, signal) => (await destination.deliver([message], signal))[0]!,
  })
  box.outbox.start()
  await box.fire()
  await box.allIn('delivered')
  const [first, second] = sink.requests
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(399)
  await destination.close?.()
})

test('the file of an authority that is not there is told, and looked for again', async () => {
  const { settings } = DESTINATION_EXAMPLES.webhook!
  const result = await resultOf({ ...settings, caFile: '/no/such/ca.pem' }, await sinkThat())
  expect(result).toEqual({ outcome: 'retry', slow: true, detail: 'caFile cannot be read: /no/such/ca.pem' })
})

test('a dead destination does not hold up another one', async () => {
  const dead = await sinkThat({ hang: true })
  const alive = await sinkThat({ status: 204 })
  const { settings } = DESTINATION_EXAMPLES.webhook!
  const places = {
    dead: namedDestination(settings, { sink: dead }),
    alive: namedDestination(settings, { sink: alive }),
  }
  const box = startOutbox({
    plan: () => [
      { target: 'dead', lane: 'dead' },
      { target: 'alive', lane: 'alive' },
    ],
    render: (input) => places[input.target as 'dead' | 'alive'].destination.render(input),
    deliver: async (message, signal) => {
      const { destination } = places[message.target as 'dead' | 'alive']
      return (await destination.deliver([message], signal))[0]!
    },
  })
  box.outbox.start()
  for (let n = 0; n < 20; n += 1) await box.fire()
  await box.allIn('delivered', 20)
  expect(alive.requests).toHaveLength(20)
  await until(() => dead.requests.length > 0)
  expect(box.rows().filter(({ target, state }) => target === 'dead' && state === 'delivered')).toEqual([])
})
