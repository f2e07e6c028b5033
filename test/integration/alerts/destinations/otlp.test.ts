/** OTLP: batches, partial success, resources. */
import { afterEach, describe, expect, test } from 'bun:test'
import { DESTINATION_EXAMPLES } from '../../../support/destination-types.ts'
import type { SinkAnswer } from '../../../support/http-sink.ts'
import { exampleEvent, inputFor, namedDestination } from '../../../support/named.ts'
import { closeSinks, sinkThat } from '../../../support/named-sinks.ts'
import { closeOutboxes, startOutbox } from '../../../support/outbox.ts'
import { until } from '../../../support/wait.ts'

afterEach(async () => {
  await closeOutboxes()
  await closeSinks()
})

describe('OTLP', () => {
  const { settings } = DESTINATION_EXAMPLES.otlp!
  const partial = (rejectedLogRecords: number | string) => ({
    status: 200,
    body: JSON.stringify({ partialSuccess: { rejectedLogRecords, errorMessage: 'too old' } }),
  })
  const records = ({ body }: { readonly body: string }) =>
    (JSON.parse(body) as { resourceLogs: { scopeLogs: { logRecords: object[] }[] }[] }).resourceLogs[0]!.scopeLogs[0]!
      .logRecords

  async function sendMany(count: number, answer: SinkAnswer) {
    const sink = await sinkThat(answer)
    const { destination, aimed, log } = namedDestination(settings, { sink })
    const messages = await Promise.all(
      Array.from({ length: count }, (_, n) =>
        destination.render(aimed(inputFor(exampleEvent(), { deliveryId: `d${n}` }))),
      ),
    )
    const results = await Promise.all(
      messages.map((message) => destination.deliver([message], AbortSignal.timeout(20_000))),
    )
    await destination.close?.()
    return { sink, results: results.flat(), log }
  }

  test('what is sent at the same time leaves in requests of up to 500 records', async () => {
    const { sink, results } = await sendMany(501, { status: 200, body: '{}' })
    expect(sink.requests.map((request) => records(request).length).sort()).toEqual([1, 500])
    expect(results.every(({ outcome }) => outcome === 'delivered')).toBe(true)
  })

  test('what waits in the outbox leaves in few requests, and after an outage too', async () => {
    const sink = await sinkThat({ status: 200, body: '{}' })
    await sink.down()
    const { destination } = namedDestination(settings, { sink })
    const box = startOutbox({
      batchSize: destination.batchSize!,
      render: (input) => destination.render(input),
      deliver: async (message, signal) => (await destination.deliver([message], signal))[0]!,
    })
    for (let n = 0; n < 300; n += 1) await box.fire()
    box.outbox.start()
    await until(() => box.rows().every(({ attempts }) => attempts > 0), { timeout: 10_000 })
    await sink.up()
    await box.allIn('delivered', 300)
    const sizes = sink.requests.map((request) => records(request).length)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(300)
    expect(sizes.length).toBeLessThan(10)
    await destination.close?.()
  }, 90_000)

  test('some records refused: delivered, with a warning', async () => {
    const { results, log } = await sendMany(3, partial(1))
    expect(results).toEqual(Array(3).fill({ outcome: 'delivered', detail: '1 of 3 records refused: too old' }))
    expect(log.of('warn')).toEqual(['NOTIFY place: 1 of 3 records refused: too old'])
  })

  test('all records refused: dead', async () => {
    const { results } = await sendMany(2, partial('2'))
    expect(results).toEqual(Array(2).fill({ outcome: 'rejected', detail: '2 of 2 records refused: too old' }))
  })

  test('own resource attributes and severities', async () => {
    const sink = await sinkThat({ status: 200, body: '{}' })
    const { send } = namedDestination({ ...settings, resource: { 'deployment.environment': 'prod' } }, { sink })
    for (const severity of ['critical', 'warning', 'info'] as const) await send(inputFor(exampleEvent(), { severity }))
    expect(sink.requests[0]!.body).toContain('{"key":"deployment.environment","value":{"stringValue":"prod"}}')
    const sent = sink.requests.flatMap(records) as { severityNumber: number; severityText: string }[]
    expect(sent.map(({ severityNumber, severityText }) => [severityNumber, severityText])).toEqual([
      [21, 'FATAL'],
      [13, 'WARN'],
      [9, 'INFO'],
    ])
  })
})
