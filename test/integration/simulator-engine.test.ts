/** The simulated engine, seen through the stock JavaScript client (schema 12.612.0) over mutual TLS. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { APP, REPOSITORY, type StockObject, startTestEngine, type TestEngine } from '../support/simulated-engine.ts'
import { until } from '../support/wait.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine.stop())

let identities = 0
/** An app opened in a session of its own. */
async function openApp(number: number, options: { noData?: boolean; user?: string; delta?: boolean } = {}) {
  const path = `/app/${APP(number)}/identity/test-${++identities}`
  const { global, session, states } = await engine.stock(path, options)
  const doc: StockObject = await global.openDoc(APP(number), '', '', '', options.noData ?? false)
  return { global, session, doc, states }
}

/** Error code of a call that has to fail. */
const codeOf = async (call: Promise<unknown>): Promise<number> => {
  try {
    await call
  } catch (error) {
    return (error as { code: number }).code
  }
  throw new Error('The call did not fail')
}

describe('connection', () => {
  test('lists every app to a service account, in delta mode and without', async () => {
    for (const delta of [true, false]) {
      const { global, states } = await engine.stock('', { delta })
      const list = await global.getDocList()
      expect(states).toEqual(['SESSION_CREATED'])
      expect(list).toHaveLength(10)
      expect(list[1]).toMatchObject({
        qDocName: 'Sales Dashboard',
        qDocId: APP(2),
        qFileSize: 18_874_368,
        qTitle: 'Sales Dashboard',
        qHasSectionAccess: false,
        qMeta: { published: true, description: 'Sales per region and month', stream: { name: 'Finance' } },
      })
      expect(await global.engineVersion()).toEqual({ qComponentVersion: '12.2027.0' })
    }
  })

  test('lists only what a user may see', async () => {
    const { global } = await engine.stock('/app/engineData', { user: 'UserDirectory=ERP; UserId=karl' })
    const names = (await global.getDocList()).map((one: { qDocName: string }) => one.qDocName)
    expect(names).toEqual([
      'Sales Dashboard',
      'HR Insights',
      'R&D Portfolio',
      'Inventory Live',
      'License Monitor',
      'Big Numbers',
    ])
    expect(await codeOf(global.openDoc(APP(1)))).toBe(5)
  })

  test('refuses sockets without a client certificate or without an identity', async () => {
    const failed = (user: string | null, certificate: boolean) =>
      new Promise<string>((resolve) => {
        const socket = engine.socket('/app/engineData', user, certificate)
        socket.on('error', (error) => resolve(String(error.message ?? error)))
        socket.on('open', () => resolve('open'))
      })
    expect(await failed(REPOSITORY, false)).not.toBe('open')
    expect(await failed(null, true)).not.toBe('open')
    expect(await failed('nonsense', true)).not.toBe('open')
    expect(await failed(REPOSITORY, true)).toBe('open')
    const [entry] = engine.requests.list({ listener: 'engine' }).slice(-1)
    expect(entry).toMatchObject({ path: '/app/engineData', clientSubject: 'CN=QlikClient', status: 101 })
  })

  test('speaks JSON-RPC: positions, names, delta, errors', async () => {
    const socket = await engine.raw('/app/engineData')
    await socket.until((message) => message.method === 'OnConnected')
    expect(socket.received[0]).toEqual({
      jsonrpc: '2.0',
      method: 'OnConnected',
      params: { qSessionState: 'SESSION_CREATED' },
    } as never)
    const delta = await socket.call(-1, 'EngineVersion', [], { delta: true })
    expect(delta).toMatchObject({
      delta: true,
      result: { qVersion: [{ op: 'add', path: '/', value: { qComponentVersion: '12.2027.0' } }] },
    })
    expect((await socket.call(-1, 'OpenDoc', ['unknown'])).error).toEqual({
      code: 1003,
      parameter: 'unknown',
      message: 'App not found',
    })
    const open = await socket.call(-1, 'OpenDoc', { qDocName: APP(2), qNoData: true }, { delta: true })
    expect(open.result).toEqual({ qReturn: { qType: 'Doc', qHandle: 1, qGenericId: APP(2) } })
    expect(open.delta).toBeUndefined()
    expect((await socket.call(-1, 'OpenDoc', [APP(2), '', '', '', true])).error?.code).toBe(1002)
    expect((await socket.call(-1, 'OpenDoc', [APP(2)])).error?.code).toBe(1009)
    expect((await socket.call(1, 'NoSuchMethod')).error).toMatchObject({ code: -32601, message: 'Method not found' })
    expect((await socket.call(1, 'GetScript', [1, 2, 3])).error?.code).toBe(-32602)
    expect((await socket.call(1, 'GetObject', { qWrong: 'x' })).error?.code).toBe(-32602)
    expect((await socket.call(99, 'GetLayout')).error?.code).toBe(8)
    socket.sendText('{nonsense')
    expect((await socket.until((message) => message.id === null)).error?.code).toBe(-32700)
    expect((await socket.call(1, 'GetObject', ['nothing'])).result).toEqual({ qReturn: { qType: null, qHandle: null } })
    const created = await socket.call(1, 'CreateSessionObject', [{ qInfo: { qId: 'x', qType: 'x' } }])
    expect(created.change).toEqual([created.result.qReturn.qHandle])
    const destroyed = await socket.call(1, 'DestroySessionObject', ['x'])
    expect(destroyed.result).toEqual({ qSuccess: true })
    expect(destroyed.close).toEqual([created.result.qReturn.qHandle])
    socket.close()
    expect(await socket.closed).toBe(1000)
  })

  test('shares a session among sockets of one user, app and identity', async () => {
    const path = `/app/${APP(2)}/identity/shared`
    const first = await engine.stock(path)
    const doc = await first.global.openDoc(APP(2))
    const chart = await doc.getObject('chSales')
    const second = await engine.stock(path)
    expect(second.states).toEqual(['SESSION_ATTACHED'])
    const changed = new Promise<void>((resolve) => chart.on('changed', resolve))
    const same = await second.global.getActiveDoc()
    await (await same.getField('Region')).selectValues([{ qText: 'Iberia' }])
    await changed
    expect((await chart.getLayout()).qHyperCube.qSize.qcy).toBe(1)
    const other = await engine.stock(`/app/${APP(2)}/identity/other`)
    expect(other.states).toEqual(['SESSION_CREATED'])
    expect(await codeOf(other.global.getActiveDoc())).toBe(1017)
    const otherDoc = await other.global.openDoc(APP(2))
    expect((await (await otherDoc.getObject('chSales')).getLayout()).qHyperCube.qSize.qcy).toBe(5)
  })
})

describe('reading an app', () => {
  test('everything that a dump asks for', async () => {
    const { doc } = await openApp(2, { noData: true })
    const list = async (definition: Record<string, unknown>) => {
      const object = await doc.createSessionObject({ qInfo: { qType: 'list' }, ...definition })
      return object.getLayout()
    }
    expect((await doc.getAppProperties()).qTitle).toBe('Sales Dashboard')
    expect(await doc.getScript()).toStartWith('///$tab Main\r\n')
    expect(await doc.getLineage()).toHaveLength(1)
    const sheets = await list({ qAppObjectListDef: { qType: 'sheet', qData: { id: '/qInfo/qId', rank: '/rank' } } })
    expect(sheets.qAppObjectList.qItems).toMatchObject([
      { qMeta: { title: 'Overview' }, qData: { id: 'b7e1c2d3-0001-4000-8000-000000000001', rank: 0 } },
      { qMeta: { title: 'Details' }, qData: { rank: 1 } },
    ])
    const sheet = await doc.getObject('b7e1c2d3-0001-4000-8000-000000000001')
    const tree = await sheet.getFullPropertyTree()
    expect(tree.qProperty.cells[0]).toEqual({
      name: 'chSales',
      type: 'barchart',
      col: 0,
      row: 0,
      colspan: 12,
      rowspan: 6,
    })
    expect(tree.qChildren.map((child: StockObject) => child.qProperty.qInfo.qId)).toEqual([
      'chSales',
      'kpSales',
      'fpMain',
    ])
    expect(tree.qChildren[0].qProperty.qHyperCubeDef.qMeasures).toHaveLength(1)
    for (const type of ['story', 'masterobject', 'appprops']) {
      const found = await list({ qAppObjectListDef: { qType: type, qData: { id: '/qInfo/qId' } } })
      expect(found.qAppObjectList.qItems).toHaveLength(1)
    }
    expect((await list({ qDimensionListDef: { qType: 'dimension' } })).qDimensionList.qItems).toHaveLength(2)
    expect((await list({ qMeasureListDef: { qType: 'measure' } })).qMeasureList.qItems).toHaveLength(3)
    expect((await list({ qBookmarkListDef: { qType: 'bookmark' } })).qBookmarkList.qItems).toHaveLength(2)
    expect((await list({ qBookmarkListDef: { qType: 'snapshot' } })).qBookmarkList.qItems).toHaveLength(1)
    expect((await list({ qMediaListDef: {} })).qMediaList.qItems[0].qUrlDef).toBe('/media/logo.png')
    expect((await list({ qFieldListDef: { qShowSystem: true } })).qFieldList.qItems).toEqual([])
    const variables = await list({ qVariableListDef: { qType: 'variable', qShowReserved: true, qShowConfig: true } })
    expect(variables.qVariableList.qItems).toHaveLength(5)
    expect(variables.qVariableList.qItems[0]).toMatchObject({
      qName: 'vYear',
      qDefinition: '2026',
      qIsScriptCreated: true,
    })
    const variable = await doc.getVariableById('vaYear')
    expect((await variable.getProperties()).qDefinition).toBe('2026')
    expect((await (await doc.getDimension('dimMonth')).getProperties()).qDim.qFieldDefs).toEqual(['Month'])
    expect((await (await doc.getMeasure('meaMargin')).getProperties()).qMeasure.qLabel).toBe('Margin')
    const bookmark = await doc.getBookmark('bm1')
    expect((await bookmark.getLayout()).qBookmark.qStateData[0].qFieldItems[0]).toMatchObject({
      qDef: { qName: 'Region' },
      qValues: ['Nordic', 'Benelux'],
    })
    const connections = await doc.getConnections()
    expect(connections.map((one: { qName: string }) => one.qName)).toEqual(['ERP', 'QVD', 'Warehouse'])
    expect((await doc.getConnection(connections[0].qId)).qType).toBe('folder')
    expect((await doc.getAllInfos()).length).toBeGreaterThan(15)
    expect(await codeOf(doc.getConnection('none'))).toBe(2)
    expect((await doc.getAppLayout()).qHasData).toBe(false)
  })

  test('every app of the data set opens and lists its sheets', async () => {
    for (let number = 1; number <= 10; number++) {
      const { doc, session } = await openApp(number, { noData: true })
      const infos: { qType: string }[] = await doc.getAllInfos()
      expect(infos.some(({ qType }) => qType === 'sheet')).toBe(true)
      await session.close()
    }
    const { doc } = await openApp(3)
    expect(await doc.getLineage()).toHaveLength(6)
  })

  test('a chart that extends a master object', async () => {
    const { doc } = await openApp(2)
    const linked = await doc.getObject('chLinked')
    expect((await linked.getProperties()).qHyperCubeDef).toBeUndefined()
    expect((await linked.getEffectiveProperties()).qHyperCubeDef.qMeasures).toHaveLength(1)
    const layout = await linked.getLayout()
    expect(layout.title).toBe('Linked')
    expect(layout.qHyperCube.qSize).toEqual({ qcx: 2, qcy: 5 })
  })

  test('patches change what an object shows, wherever they point', async () => {
    const { doc } = await openApp(2)
    const object = await doc.createSessionObject({ qInfo: { qType: 'x' }, deep: { title: 'before' } })
    await object.applyPatches([
      { qOp: 'replace', qPath: '/deep/title', qValue: '"after"' },
      { qOp: 'add', qPath: '/__proto__/polluted', qValue: 'true' },
    ])
    expect((await object.getLayout()).deep).toEqual({ title: 'after' })
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(await codeOf(object.applyPatches([{ qOp: 'add', qPath: '/x', qValue: 'nonsense' }]))).toBe(8)
  })

  test('the data model', async () => {
    const { doc } = await openApp(2)
    const object = await doc.createSessionObject({ qInfo: { qType: 'f' }, qFieldListDef: { qShowSrcTables: true } })
    const fields = (await object.getLayout()).qFieldList.qItems
    expect(fields.map((one: { qName: string; qCardinal: number }) => [one.qName, one.qCardinal]).slice(0, 5)).toEqual([
      ['Region', 5],
      ['Country', 14],
      ['Month', 24],
      ['Product', 40],
      ['Customer', 1200],
    ])
    const { qtr } = await doc.getTablesAndKeys({ qcx: 0, qcy: 0 }, { qcx: 0, qcy: 0 }, 0, false, false)
    expect(qtr).toMatchObject([{ qName: 'Sales', qNoOfRows: 50_000 }])
    expect(await (await doc.getField('Country')).getCardinal()).toBe(14)
    expect((await doc.getTableData(0, 3, false, 'Sales'))[0].qValue).toHaveLength(7)
  })

  test('section access shows each person his own rows, or nothing', async () => {
    const departments = async (user: string) => {
      const { doc } = await openApp(4, { user })
      return (await doc.evaluateEx("Concat(distinct Department, ';')")).qText
    }
    expect(await departments(REPOSITORY)).toBe('Finance;HR;IT;Sales')
    expect(await departments('UserDirectory=LAB;UserId=carla')).toBe('Finance;HR;IT;Sales')
    expect(await departments('UserDirectory=lab;UserId=bertil')).toBe('IT')
    expect(await codeOf(openApp(4, { user: 'UserDirectory=ERP;UserId=karl' }))).toBe(5)
  })
})

describe('selections and cubes', () => {
  test('a chart follows the selections, formatted', async () => {
    const { doc } = await openApp(2)
    const chart = await doc.getObject('chSales')
    const { qHyperCube: all } = await chart.getLayout()
    expect(all.qSize).toEqual({ qcx: 2, qcy: 5 })
    expect(all.qMeasureInfo[0].qNumFormat.qFmt).toBe('# ##0,00')
    const total = all.qGrandTotalRow[0].qNum
    const field = await doc.getField('Region')
    expect(await field.selectValues([{ qText: 'Nordic' }, { qText: 'Benelux' }, { qText: 'Atlantis' }])).toBe(true)
    const { qHyperCube: some } = await chart.getLayout()
    expect(some.qDimensionInfo[0].qStateCounts).toMatchObject({ qSelected: 2, qAlternative: 3, qOption: 0 })
    const [page] = await chart.getHyperCubeData('/qHyperCubeDef', [{ qLeft: 0, qTop: 0, qWidth: 2, qHeight: 500 }])
    const [nordic, benelux] = page.qMatrix
    expect(nordic[0]).toEqual({ qText: 'Nordic', qNum: 'NaN', qElemNumber: 0, qState: 'S' })
    expect(nordic[1].qText).toMatch(/^\d{2} \d{3} \d{3},\d{2}$/)
    expect(Number(nordic[1].qText.replaceAll(' ', '').replace(',', '.'))).toBe(nordic[1].qNum)
    expect(nordic[1].qNum).toBeGreaterThan(benelux[1].qNum)
    expect(page.qArea).toEqual({ qLeft: 0, qTop: 0, qWidth: 2, qHeight: 2 })
    expect(nordic[1].qNum + benelux[1].qNum).toBe(some.qGrandTotalRow[0].qNum)
    expect(await field.select('Nor*')).toBe(true)
    expect((await doc.evaluateEx('Only(Region)')).qText).toBe('Nordic')
    expect(await field.select('Mars*')).toBe(false)
    expect(await field.select('=Sum(Sales)>10000000')).toBe(true)
    expect((await doc.evaluateEx('GetSelectedCount(Region)')).qNumber).toBe(3)
    expect(await doc.applyBookmark('bm2')).toBe(true)
    expect((await doc.evaluateEx('Concat(distinct Month)')).qText).toBe('2026-02')
    expect(await doc.applyBookmark('none')).toBe(false)
    await doc.clearAll(true)
    expect(await doc.evaluateEx('Sum(Sales)')).toEqual({ qText: String(total), qIsNumeric: true, qNumber: total })
    expect(await doc.evaluateEx('Sum(Sales)>0')).toEqual({ qText: '-1', qIsNumeric: true, qNumber: -1 })
    expect(await doc.evaluateEx('Sum(')).toMatchObject({ qIsNumeric: false, qNumber: 'NaN' })
    expect(await doc.getField('Nowhere').catch(() => null)).toBeNull()
  })

  test('an own cube with master items, lists of values, selections in lists and charts', async () => {
    const { doc } = await openApp(2)
    const cube = await doc.createSessionObject({
      qInfo: { qType: 'report-table' },
      title: { qStringExpression: { qExpr: "='Regions: ' & Count(distinct Region)" } },
      count: { qValueExpression: { qExpr: 'Count(Sales)' } },
      qHyperCubeDef: {
        qDimensions: [
          { qDef: { qFieldDefs: ['Region'], qSortCriterias: [{ qSortByAscii: 1 }] } },
          { qLibraryId: 'dimMonth', qDef: {} },
        ],
        qMeasures: [{ qLibraryId: 'meaMargin', qDef: {} }],
        qInitialDataFetch: [{ qLeft: 0, qTop: 0, qWidth: 3, qHeight: 500 }],
      },
    })
    const layout = await cube.getLayout()
    expect(layout.title).toBe('Regions: 5')
    expect(layout.count).toBe(50_000)
    expect(layout.qHyperCube.qSize).toEqual({ qcx: 3, qcy: 120 })
    const [first] = layout.qHyperCube.qDataPages[0].qMatrix
    expect(first.map((cell: { qText: string }) => cell.qText).slice(0, 2)).toEqual(['Benelux', '2024-03'])
    expect(first[2].qText).toMatch(/^\d\d,\d%$/)

    const box = await doc.createSessionObject({
      qInfo: { qType: 'values' },
      qListObjectDef: {
        qDef: { qFieldDefs: ['Region'], qSortCriterias: [{ qSortByAscii: -1 }] },
        qShowAlternatives: true,
        qInitialDataFetch: [{ qLeft: 0, qTop: 0, qWidth: 1, qHeight: 10_000 }],
      },
    })
    const texts = async () =>
      (await box.getLayout()).qListObject.qDataPages[0].qMatrix.map(
        ([cell]: { qText: string; qState: string }[]) => `${cell?.qText}:${cell?.qState}`,
      )
    expect(await texts()).toEqual(['UK & Ireland:O', 'Nordic:O', 'Iberia:O', 'DACH:O', 'Benelux:O'])
    expect(await box.selectListObjectValues('/qListObjectDef', [0, 3], false)).toBe(true)
    expect(await texts()).toEqual(['UK & Ireland:A', 'Nordic:S', 'Iberia:A', 'DACH:A', 'Benelux:S'])
    expect((await cube.getLayout()).qHyperCube.qSize.qcy).toBe(48)
    expect(await cube.selectHyperCubeCells('/qHyperCubeDef', [0], [0, 1])).toBe(true)
    expect((await cube.getLayout()).qHyperCube.qSize.qcy).toBe(1)
    await doc.clearAll()
    await box.searchListObjectFor('/qListObjectDef', 'er')
    expect(await texts()).toEqual(['Iberia:O'])
    await box.acceptListObjectSearch('/qListObjectDef', false)
    expect((await doc.evaluateEx('Only(Region)')).qText).toBe('Iberia')

    const variable = await doc.getVariableByName('vYear')
    await variable.setStringValue('2030')
    expect((await doc.evaluateEx('$(vYear)+1')).qNumber).toBe(2031)
    expect(await doc.destroySessionObject(cube.id)).toBe(true)
  })

  test('pivot and stacked cubes; the wrong call gives empty pages', async () => {
    const { doc } = await openApp(2)
    const pivot = await doc.getObject('pvRegion')
    const { qSize } = (await pivot.getLayout()).qHyperCube
    expect(qSize).toEqual({ qcx: 24, qcy: 5 })
    const area = [{ qLeft: 0, qTop: 0, qWidth: 3, qHeight: 2 }]
    const [page] = await pivot.getHyperCubePivotData('/qHyperCubeDef', area)
    expect(page.qLeft.map((node: { qText: string }) => node.qText)).toEqual(['Nordic', 'DACH'])
    expect(page.qTop.map((node: { qText: string }) => node.qText)).toEqual(['2024-03', '2024-04', '2024-05'])
    expect(page.qData).toHaveLength(2)
    await (await doc.getField('Month')).selectValues([{ qText: '2024-04' }])
    await (await doc.getField('Region')).selectValues([{ qText: 'DACH' }])
    const alone = (await doc.evaluateEx('Sum(Sales)')).qNumber
    expect(page.qData[1][1]).toMatchObject({ qNum: alone, qType: 'V' })
    expect(await pivot.getHyperCubeData('/qHyperCubeDef', area)).toEqual([])
    const stack = await doc.createSessionObject({
      qInfo: { qType: 'stack' },
      qHyperCubeDef: {
        qDimensions: [{ qDef: { qFieldDefs: ['Region'] } }, { qDef: { qFieldDefs: ['Country'] } }],
        qMeasures: [{ qDef: { qDef: 'Sum(Sales)' } }],
        qMode: 'K',
      },
    })
    const [stacked] = await stack.getHyperCubeStackData(
      '/qHyperCubeDef',
      [{ qLeft: 0, qTop: 0, qWidth: 10, qHeight: 10 }],
      0,
    )
    const [dach] = stacked.qData[0].qSubNodes
    expect(dach.qText).toBe('DACH')
    expect(dach.qSubNodes.map((node: { qText: string }) => node.qText).sort()).toEqual([
      'Austria',
      'Germany',
      'Switzerland',
    ])
  })

  test('a cube of 300 x 40,000 cells in pages of at most 10,000', async () => {
    const { doc } = await openApp(10)
    const table = await doc.getObject('tbBig')
    const { qHyperCube } = await table.getLayout()
    expect(qHyperCube.qSize).toEqual({ qcx: 300, qcy: 40_000 })
    const page = (qTop: number, qHeight: number) =>
      table.getHyperCubeData('/qHyperCubeDef', [{ qLeft: 0, qTop, qWidth: 300, qHeight }])
    expect(await codeOf(page(0, 34))).toBe(7009)
    const [first] = await page(0, 33)
    expect(first.qMatrix).toHaveLength(33)
    const [last] = await page(39_990, 33)
    expect(last.qMatrix).toHaveLength(10)
    expect(last.qMatrix.at(-1)?.[0].qText).toBe('R40000')
    const { qMatrix } = (
      await table.getHyperCubeData('/qHyperCubeDef', [{ qLeft: 7, qTop: 5, qWidth: 2, qHeight: 1 }])
    )[0]
    expect(qMatrix[0]).toEqual(first.qMatrix[5].slice(7, 9))
  })

  test('errors inside of a cube come with an otherwise normal answer', async () => {
    const { doc } = await openApp(2)
    const object = await doc.createSessionObject({
      qInfo: { qType: 'bad' },
      qHyperCubeDef: { qDimensions: [{ qDef: { qFieldDefs: ['Nowhere'] } }], qMeasures: [] },
    })
    expect((await object.getLayout()).qHyperCube.qError.qErrorCode).toBe(7000)
    await object.setProperties({
      qInfo: { qType: 'bad' },
      qHyperCubeDef: {
        qDimensions: [{ qDef: { qFieldDefs: ['Region'] } }],
        qCalcCondition: { qCond: { qv: 'GetSelectedCount(Region)=1' }, qMsg: { qv: 'Select one region' } },
      },
    })
    const { qHyperCube } = await object.getLayout()
    expect(qHyperCube.qError).toMatchObject({ qErrorCode: 7005 })
    expect(qHyperCube.qCalcCondMsg).toBe('Select one region')
    await (await doc.getField('Region')).selectValues([{ qText: 'DACH' }])
    expect((await object.getLayout()).qHyperCube.qSize).toEqual({ qcx: 1, qcy: 1 })
  })
})

describe('reload', () => {
  /** Runs what waits in the sockets, so that a request has reached the engine. */
  const reached = async (global: StockObject) => void (await global.engineVersion())

  test('progress while it runs, success, save', async () => {
    const { global, doc } = await openApp(8)
    await global.configureReload(true, true, false)
    const app = engine.site.apps.get(APP(8))!
    const before = app.lastReloadTime
    const reload = doc.doReloadEx({ qMode: 0, qPartial: false })
    await reached(global)
    const other = await openApp(8)
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
    expect((await (await openApp(8)).doc.evaluateEx('Count(Movement)')).qNumber).toBe(1250)
  })

  test('a partial reload loads only the marked tables; unsaved work goes with the socket', async () => {
    const { global, doc, session } = await openApp(8)
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
    expect((await state((await openApp(8)).doc)).qText).toBe(before)
  })

  test('a failing script answers false and says why; mode 2 ignores it', async () => {
    const { global, doc } = await openApp(6)
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
    const { global, doc } = await openApp(7)
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
    const { global, doc, session } = await openApp(7)
    doc.doReload(0, false, false).catch(() => {})
    await reached(global)
    await session.close()
    const next = await openApp(7)
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
    const { doc } = await openApp(2)
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
