/** The simulated engine through the stock JavaScript client (schema 12.612.0) over mutual TLS: connections and apps. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  APP,
  codeOf,
  REPOSITORY,
  type StockObject,
  startTestEngine,
  type TestEngine,
} from '../../support/simulated-engine.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine.stop())

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
    const { doc } = await engine.openApp(2, { noData: true })
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
      { qMeta: { title: 'Charts' }, qData: { rank: 2 } },
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
      qValues: [{ qText: 'Nordic' }, { qText: 'Benelux' }],
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
      const { doc, session } = await engine.openApp(number, { noData: true })
      const infos: { qType: string }[] = await doc.getAllInfos()
      expect(infos.some(({ qType }) => qType === 'sheet')).toBe(true)
      await session.close()
    }
    const { doc } = await engine.openApp(3)
    expect(await doc.getLineage()).toHaveLength(6)
  })

  test('a chart that extends a master object', async () => {
    const { doc } = await engine.openApp(2)
    const linked = await doc.getObject('chLinked')
    expect((await linked.getProperties()).qHyperCubeDef).toBeUndefined()
    expect((await linked.getEffectiveProperties()).qHyperCubeDef.qMeasures).toHaveLength(1)
    const layout = await linked.getLayout()
    expect(layout.title).toBe('Linked')
    expect(layout.qHyperCube.qSize).toEqual({ qcx: 2, qcy: 5 })
  })

  test('patches change what an object shows, wherever they point', async () => {
    const { doc } = await engine.openApp(2)
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
    const { doc } = await engine.openApp(2)
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
    expect((await doc.getTableData(0, 3, false, 'Sales'))[0].qValue).toHaveLength(11)
  })

  test('section access shows each person his own rows, or nothing', async () => {
    const departments = async (user: string) => {
      const { doc } = await engine.openApp(4, { user })
      return (await doc.evaluateEx("Concat(distinct Department, ';')")).qText
    }
    expect(await departments(REPOSITORY)).toBe('Finance;HR;IT;Sales')
    expect(await departments('UserDirectory=LAB;UserId=carla')).toBe('Finance;HR;IT;Sales')
    expect(await departments('UserDirectory=lab;UserId=bertil')).toBe('IT')
    expect(await codeOf(engine.openApp(4, { user: 'UserDirectory=ERP;UserId=karl' }))).toBe(5)
  })
})
