/** The simulated engine through the stock JavaScript client (schema 12.612.0) over mutual TLS: reloads, faults, settings. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  APP,
  codeOf,
  REPOSITORY,
  type StockObject,
  startTestEngine,
  type TestEngine,
} from '../../support/simulated-engine.ts'
import { until } from '../../support/wait.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine.stop())

describe('reload', () => {
  /** Runs what waits in the sockets, so that a request has reached the engine. */
  const reached = async (global: StockObject) => void (await global.engineVersion())

  test('progress while it runs, success, save', async () => {
    const { global, doc } = await engine.openApp(8)
    await global.configureReload(true, true, false)
    const app = engine.site.apps.get(APP(8))!
    const before = app.lastReloadTime
    const reload = doc.doReloadEx({ qMode: 0, qPartial: false })
    await reached(global)
    const other = await engine.openApp(8)
    expect(await codeOf(other.doc.doReload())).toBe(11000)
    engine.clock.advance(app.reloadDurationMs * 0.5)
    const half = await global.getProgress(0)
    expect(half).toMatchObject({
      qStarted: true,
      qFinished: false,
      qPersistentProgress: 'Warehouses\n12 lines fetched\n',
      qTransientProgress: 'Stock 300 lines so far',
      qPersistentProgressMessages: [{ qMessageCode: 21, qMessageParameters: ['Warehouses', '12'] }],
    })
    expect((await global.getProgress(0)).qPersistentProgress).toBe('')
    engine.clock.advance(app.reloadDurationMs)
    expect(await reload).toMatchObject({ qSuccess: true, qEndedWithMemoryConstraint: false })
    expect((await global.getProgress(0)).qFinished).toBe(true)
    expect((await doc.evaluateEx('Max(WarehouseLoads)')).qNumber).toBe(2)
    expect(app.lastReloadTime).toBe(before)
    await doc.doSave()
    expect(app.lastReloadTime).toBeGreaterThan(before)
    expect((await (await engine.openApp(8)).doc.evaluateEx('Count(Movement)')).qNumber).toBe(1250)
  })

  test('a partial reload loads only the marked tables; unsaved work goes with the socket', async () => {
    const { global, doc, session } = await engine.openApp(8)
    const state = (of: StockObject) =>
      of.evaluateEx("Max(WarehouseLoads) & '/' & Max(StockLoads) & '/' & Count(Movement)")
    const before = (await state(doc)).qText
    const [warehouses, stock, movements] = before.split('/').map(Number)
    const reload = doc.doReload(0, true, false)
    await reached(global)
    engine.clock.advance(10_000)
    expect(await reload).toBe(true)
    expect((await state(doc)).qText).toBe(`${warehouses}/${stock + 1}/${movements + 250}`)
    await session.close()
    expect((await state((await engine.openApp(8)).doc)).qText).toBe(before)
  })

  test('a failing script answers false and says why; mode 2 ignores it', async () => {
    const { global, doc } = await engine.openApp(6)
    await global.configureReload(true, true, false)
    const reload = doc.doReload(0, false, false)
    await reached(global)
    engine.clock.advance(10_000)
    expect(await reload).toBe(false)
    const { qErrorData } = await global.getProgress(0)
    expect(qErrorData).toMatchObject([
      {
        qErrorString: "Cannot open file: 'lib://ERP/orders.qvd'",
        qErrorDataCode: 'EDC_ERROR',
        qMessage: { qMessageCode: 10 },
      },
    ])
    const ignoring = doc.doReload(2, false, false)
    await reached(global)
    engine.clock.advance(10_000)
    expect(await ignoring).toBe(true)
  })

  test('cancel ends it with false, abort with error 15', async () => {
    const { global, doc } = await engine.openApp(7)
    const cancelled = doc.doReload(0, false, false)
    await reached(global)
    await global.cancelReload()
    expect(await cancelled).toBe(false)
    const aborted = doc.doReload(0, false, false)
    await reached(global)
    await global.abortAll()
    expect(await codeOf(aborted)).toBe(15)
    const socket = await engine.raw(`/app/${APP(7)}/identity/abort`)
    await socket.call(-1, 'OpenDoc', [APP(7)])
    const reload = socket.call(1, 'DoReload', [])
    await socket.call(-1, 'AbortRequest', [2])
    expect((await reload).error).toMatchObject({ code: 15, message: 'Request aborted' })
    socket.close()
  })

  test('a socket that closes ends its reload', async () => {
    const { global, doc, session } = await engine.openApp(7)
    doc.doReload(0, false, false).catch(() => {})
    await reached(global)
    await session.close()
    const next = await engine.openApp(7)
    const reload = next.doc.doReload(0, false, false)
    await reached(next.global)
    engine.clock.advance(90_000)
    expect(await reload).toBe(true)
  })
})

describe('faults', () => {
  test('the socket breaks in the middle of a reload', async () => {
    engine.faults.add({ listener: 'engine', mode: 'close-mid-reload', times: 1 })
    const socket = await engine.raw(`/app/${APP(1)}/identity/break`)
    await socket.call(-1, 'OpenDoc', [APP(1)])
    void socket.call(1, 'DoReload', [])
    await socket.call(-1, 'EngineVersion')
    engine.clock.advance(10_000)
    expect(await socket.closed).toBe(1006)
  })

  test.each([
    ['session-limit', [], 'SESSION_ERROR_LIMIT_EXCEEDED'],
    ['on-connected', ['SESSION_ERROR_NO_LICENSE'], 'SESSION_ERROR_NO_LICENSE'],
  ])('%s', async (mode, args, state) => {
    engine.faults.add({ listener: 'engine', mode, args, times: 1 })
    const socket = await engine.raw('/app/engineData')
    expect((await socket.until(({ method }) => method === 'OnConnected')).params).toEqual({ qSessionState: state })
    expect(await socket.closed).toBe(1000)
  })

  test('an error in one method leaves the others alone', async () => {
    const { doc } = await engine.openApp(2)
    engine.faults.add({
      listener: 'engine',
      mode: 'engine-error',
      args: [15, 'Request aborted', 'GetLineage'],
      times: 1,
    })
    expect(await doc.getScript()).toContain('LOAD')
    expect(await codeOf(doc.getLineage())).toBe(15)
    expect(await doc.getLineage()).toHaveLength(1)
  })
})

describe('settings', () => {
  test('a selection overtakes a calculation; a user has no more than his sessions', async () => {
    const slow = await startTestEngine({ calculationMs: 1_000, maxSessionsPerUser: 1 })
    try {
      const { global, states } = await slow.stock(`/app/${APP(2)}/ttl/60`)
      const doc = await global.openDoc(APP(2))
      const chart = await doc.getObject('chSales')
      const layout = chart.getLayout()
      await global.engineVersion()
      await (await doc.getField('Region')).selectValues([{ qText: 'Nordic' }])
      expect(await codeOf(layout)).toBe(15)
      const second = chart.getLayout()
      await global.engineVersion()
      slow.clock.advance(1_000)
      expect((await second).qHyperCube.qSize.qcy).toBe(1)
      expect(states).toEqual(['SESSION_CREATED'])
      const refused = await slow.raw('/app/engineData')
      expect((await refused.until(({ method }) => method === 'OnConnected')).params).toEqual({
        qSessionState: 'SESSION_ERROR_LIMIT_EXCEEDED',
      })
    } finally {
      await slow.stop()
    }
  })

  test('a session with a time to live waits for its user', async () => {
    const path = `/app/${APP(2)}/identity/wait/ttl/60`
    const first = await engine.raw(path)
    await first.call(-1, 'OpenDoc', [APP(2)])
    first.close()
    await first.closed
    const second = await engine.raw(path)
    expect((await second.until(({ method }) => method === 'OnConnected')).params).toEqual({
      qSessionState: 'SESSION_ATTACHED',
    })
    expect((await second.call(-1, 'GetActiveDoc')).result.qReturn.qGenericId).toBe(APP(2))
    second.close()
    await until(async () => {
      engine.clock.advance(61_000)
      const third = await engine.raw(path)
      const { params } = await third.until(({ method }) => method === 'OnConnected')
      third.close()
      return params?.qSessionState === 'SESSION_CREATED'
    })
  })

  test('a reset ends reloads and sockets, and the engine goes on', async () => {
    const own = await startTestEngine()
    try {
      const socket = await own.raw(`/app/${APP(7)}`)
      await socket.call(-1, 'OpenDoc', [APP(7)])
      void socket.call(1, 'DoReload', [])
      await socket.call(-1, 'EngineVersion')
      own.engine.reset()
      expect(await socket.closed).toBe(1006)
      const { global, states } = await own.stock(`/app/${APP(7)}`)
      expect(states).toEqual(['SESSION_CREATED'])
      const doc = await global.openDoc(APP(7))
      const reload = doc.doReload()
      await global.engineVersion()
      own.clock.advance(90_000)
      expect(await reload).toBe(true)
    } finally {
      await own.stop()
    }
  })

  test('plain sockets without certificates', async () => {
    const plain = await startTestEngine({ tls: false })
    try {
      const socket = new WebSocket(`ws://127.0.0.1:${plain.engine.port}/app/engineData`, {
        headers: { 'X-Qlik-User': REPOSITORY },
      } as never)
      const message = await new Promise<string>((resolve) => {
        socket.onmessage = ({ data }) => resolve(String(data))
      })
      expect(JSON.parse(message).method).toBe('OnConnected')
      socket.close()
    } finally {
      await plain.stop()
    }
  })
})
