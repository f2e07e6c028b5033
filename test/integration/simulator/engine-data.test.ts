/** The simulated engine through the stock JavaScript client (schema 12.612.0) over mutual TLS: selections and cubes. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { codeOf, startTestEngine, type TestEngine } from '../../support/simulated-engine.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine.stop())

describe('selections and cubes', () => {
  test('a chart follows the selections, formatted', async () => {
    const { doc } = await engine.openApp(2)
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
    const { doc } = await engine.openApp(2)
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
    const { doc } = await engine.openApp(2)
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
    const { doc } = await engine.openApp(10)
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
    const { doc } = await engine.openApp(2)
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
