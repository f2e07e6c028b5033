/** Faults of single engine calls, seen by the stock JavaScript client and by a bare socket. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { addOrderLines } from '../../../simulator/acme/load.ts'
import { APP, codeOf, startTestEngine, type TestEngine } from '../../support/simulated-engine.ts'
import { startSite } from '../../support/simulator.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
  addOrderLines(engine.site)
})
afterEach(() => engine.faults.clear())
afterAll(() => engine.stop())

const fault = (mode: string, args: unknown[], times?: number) =>
  engine.faults.add({ listener: 'engine', mode, args, ...(times === undefined ? {} : { times }) })

describe('faults of single calls', () => {
  test('pages above a number of cells', async () => {
    const { doc } = await engine.openApp(2)
    const table = await doc.getObject('tbDetail')
    const page = (qHeight: number) =>
      table.getHyperCubeData('/qHyperCubeDef', [{ qLeft: 0, qTop: 0, qWidth: 6, qHeight }])
    fault('engine-max-cells', [600])
    expect(await codeOf(page(101))).toBe(7009)
    expect((await page(100))[0].qMatrix).toHaveLength(100)
  })

  test('a person without access', async () => {
    fault('engine-denied', ['lab\\ANNA'])
    expect(await codeOf(engine.openApp(2, { user: 'UserDirectory=LAB; UserId=anna' }))).toBe(5)
    expect((await engine.openApp(2)).doc.handle).toBe(1)
  })

  test.each([
    [1001, 1001],
    [3007, 3007],
    [undefined, 1006],
  ])('a socket that closes with %p at a call', async (code, seen) => {
    const socket = await engine.raw(`/app/${APP(2)}/identity/close-${seen}`)
    fault('engine-close', [code, 'GetAppLayout'])
    await socket.call(-1, 'OpenDoc', [APP(2)])
    void socket.call(1, 'GetAppLayout')
    expect(await socket.closed).toBe(seen)
  })

  test('a call without an answer, while others go on', async () => {
    const socket = await engine.raw(`/app/${APP(2)}/identity/stall`)
    fault('engine-stall', ['EngineVersion'], 1)
    void socket.call(-1, 'EngineVersion')
    await socket.call(-1, 'ProductVersion')
    expect(socket.received.filter(({ id }) => id === 1)).toEqual([])
    expect((await socket.call(-1, 'EngineVersion')).result.qVersion.qComponentVersion).toBe('12.2027.0')
    socket.close()
  })
})

describe('data for reports', () => {
  test('a table of 134,211 rows and eight columns', async () => {
    const { doc } = await engine.openApp(11)
    const table = await doc.getObject('tbLines')
    const { qHyperCube } = await table.getLayout()
    expect(qHyperCube.qSize).toEqual({ qcx: 8, qcy: 134_211 })
    expect(qHyperCube.qDimensionInfo[2]).toMatchObject({
      qNumFormat: { qType: 'D', qFmt: 'YYYY-MM-DD' },
      qTags: ['$numeric', '$integer', '$timestamp', '$date'],
    })
  }, 90_000)

  test('dates, years, managers and backlog of the sales app', async () => {
    const { doc } = await engine.openApp(2)
    const value = async (expression: string) => (await doc.evaluateEx(expression)).qText
    expect(await value('=Count(distinct OrderDate)')).toBe('730')
    expect(await value("=Concat(distinct Year, ';')")).toBe('2024;2025;2026')
    await (await doc.getField('OrderDate')).select('>=46023<46054')
    expect(await value('=Only(Month)')).toBe('2026-01')
    expect(await value('=Only(Year)')).toBe('2026')
    await (await doc.getField('Region')).selectValues([{ qText: 'DACH' }])
    expect(await value("=Concat(distinct RegionManagerMail, ';')")).toBe('dieter@acme.example')
    expect(Number(await value('=Sum(Backlog)'))).toBeGreaterThan(0)
  })

  test('an object of each usual kind', async () => {
    const { doc } = await engine.openApp(2)
    for (const [id, type, rows] of [
      ['lnMonth', 'linechart', 24],
      ['pcRegion', 'piechart', 5],
      ['stYear', 'barchart', 15],
      ['cbMonth', 'combochart', 24],
      ['spCountry', 'scatterplot', 14],
      ['tmProduct', 'treemap', 200],
      ['kpBacklog', 'kpi', 1],
    ] as const) {
      const { visualization, qHyperCube } = await (await doc.getObject(id)).getLayout()
      expect([id, visualization, qHyperCube.qSize.qcy]).toEqual([id, type, rows])
    }
  })

  test('the control interface adds the large app', async () => {
    await using site = await startSite()
    const { control } = site.simulator.ports
    expect(site.simulator.site.apps.has(APP(11))).toBe(false)
    const answer = await fetch(`http://127.0.0.1:${control}/_sim/orderlines`, { method: 'POST' })
    expect(await answer.json()).toEqual({ id: APP(11) })
    expect(site.simulator.site.apps.get(APP(11))?.name).toBe('Order Lines')
    const calls = await fetch(`http://127.0.0.1:${control}/_sim/enginecalls`)
    expect(await calls.json()).toEqual({})
  })
})
