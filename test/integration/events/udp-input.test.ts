import { afterEach, describe, expect, test } from 'bun:test'
import { inputRoutes } from '../../../src/events/http.ts'
import { selfTestDatagram } from '../../../src/events/ingest/self-test.ts'
import { listSources, noteSources } from '../../../src/events/sources.ts'
import { pipelineDatabase } from '../../support/events.ts'
import { closePipelines, message, startPipeline } from '../../support/pipeline.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

afterEach(closePipelines)

const NO_MESSAGE = 'Test failed reload message'

describe('who sends messages', () => {
  test('is kept per address and host, with strangers apart', async () => {
    const { send, db } = await startPipeline({ needs: [] })
    await send(message())
    await send(message({ execution: 'e5000000-0000-4000-8000-000000000002' }))
    await send(NO_MESSAGE)
    await until(() => listSources(db).length === 2)
    await until(() => listSources(db).some(({ messages }) => messages === 2))
    const found = listSources(db).toSorted((a, b) => b.messages - a.messages)
    expect(found).toEqual([
      { ...found[0]!, sender: '127.0.0.1', host: 'QS-CENTRAL', messages: 2, rejected: 0 },
      { ...found[1]!, sender: '127.0.0.1', host: '', messages: 0, rejected: 1 },
    ])
    expect(Math.abs(found[0]!.lastAt - Date.now())).toBeLessThan(30_000)
  })

  test('of a log appender that is too old get one warning at once that says what to do', async () => {
    const { send, dropped, log } = await startPipeline()
    for (let n = 0; n < 5; n += 1) await send(`QS-OLD;Reload ${n};Sales dashboard;Max retries reached`)
    await until(() => dropped().length === 5)
    const warnings = log.of('warn').filter((line) => line.includes('Butler 1.1 to 4.1'))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('Rejected 1 message from 127.0.0.1: ')
    expect(warnings[0]).toContain('footman log-appender')
  })

  test('is limited: strangers are forgotten before those who send messages', () => {
    const directory = tempDirectory()
    const db = pipelineDatabase(directory.join('footman.db'))
    noteSources(db, [{ sender: '10.0.0.1', host: 'qs-central', at: 1 }])
    const strangers = Array.from({ length: 600 }, (_, n) => ({
      sender: `10.1.${n >> 8}.${n & 255}`,
      host: null,
      at: n,
    }))
    noteSources(db, strangers)
    const kept = listSources(db)
    expect(kept).toHaveLength(500)
    expect(kept.some(({ sender }) => sender === '10.0.0.1')).toBeTrue()
    expect(kept[0]!.sender).toBe('10.1.2.87')
    db.close()
    directory.remove()
  })
})

describe('the self-test', () => {
  test('arrives, makes no event, and is no news the second time', async () => {
    const { pipeline, send, db, dropped } = await startPipeline()
    const { token } = await pipeline.selfTests.begin()
    await send(selfTestDatagram(token))
    await until(() => pipeline.selfTests.find(token)?.arrived != null)
    expect(pipeline.selfTests.find(token)?.arrived?.sender).toBe('127.0.0.1')
    expect(dropped()).toEqual([])
    await send(selfTestDatagram(token))
    await until(() => dropped().length === 1)
    expect(dropped()).toEqual(['UNKNOWN_TYPE'])
    expect(db.all('SELECT id FROM event')).toEqual([])
  })

  test('arrives however soon its datagram follows the token', async () => {
    const { pipeline, send, dropped } = await startPipeline()
    for (let n = 0; n < 100; n += 1) {
      const { token } = await pipeline.selfTests.begin()
      await send(selfTestDatagram(token))
      await until(() => pipeline.selfTests.find(token)?.arrived != null)
    }
    expect(dropped()).toEqual([])
  }, 90_000)

  test('with a token that nobody handed out is a message of an unknown type', async () => {
    const { pipeline, send, dropped } = await startPipeline()
    await pipeline.selfTests.begin()
    await send(selfTestDatagram('0123456789abcdef0123456789abcdef'))
    await until(() => dropped().length === 1)
    expect(dropped()).toEqual(['UNKNOWN_TYPE'])
  })

  test('goes through the same checks as messages: a sender that is not allowed is not heard', async () => {
    const { pipeline, send, dropped } = await startPipeline({
      udp: { enableSourceValidation: true, allowedSources: ['10.9.9.9'] },
    })
    const { token } = await pipeline.selfTests.begin()
    await send(selfTestDatagram(token))
    await until(() => dropped().length === 1)
    expect(dropped()).toEqual(['SOURCE_NOT_ALLOWED'])
    expect(pipeline.selfTests.find(token)?.arrived).toBeNull()
  })

  test('forgets the oldest of more than 20', async () => {
    const { pipeline } = await startPipeline()
    const first = await pipeline.selfTests.begin()
    for (let n = 0; n < 20; n += 1) await pipeline.selfTests.begin()
    expect(pipeline.selfTests.find(first.token)).toBeNull()
  })
})

test('GET /v4/udp shows the socket, the counts and the sources', async () => {
  const { pipeline, send, db, port } = await startPipeline({ needs: [] })
  await send(message())
  await until(() => listSources(db).length === 1)
  const route = inputRoutes({ db, pipeline }).find(({ path }) => path === '/v4/udp')!
  const answer = await route.handle({ query: {} } as Parameters<typeof route.handle>[0])
  const body = (await answer.json()) as Record<string, unknown>
  expect(body).toMatchObject({
    enabled: true,
    listening: true,
    address: '127.0.0.1',
    port,
    received: 1,
    rejected: 0,
    sources: [{ from: '127.0.0.1', host: 'QS-CENTRAL', messages: 1, rejected: 0 }],
  })
  expect(body.receiveBufferBytes).toBeGreaterThan(100_000)
})
