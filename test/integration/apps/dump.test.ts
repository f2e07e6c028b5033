import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { TestSite } from '../../support/simulator.ts'
import { APP, NO_APP, SALES_DASHBOARD, startApps, startAppsSite, type TestApps } from './support.ts'

type Json = Readonly<Record<string, unknown>>
interface Dump extends Readonly<Record<string, unknown>> {
  readonly sheets: readonly { readonly qProperty: Json; readonly qChildren: readonly { qProperty: Json }[] }[]
  readonly bookmarks: readonly Json[]
  readonly variables: readonly Json[]
  readonly dimensions: readonly Json[]
  readonly measures: readonly Json[]
}

let site: TestSite
let apps: TestApps

beforeAll(async () => {
  site = await startAppsSite()
  apps = await startApps(site)
})
afterEach(() => site.simulator.reset())
afterAll(async () => {
  await apps?.stop()
  await site?.[Symbol.asyncDispose]()
})

const dump = async (appId: string) => JSON.parse((await apps.get(`/v4/app/${appId}/dump`)).body) as Dump
const ids = (items: readonly Json[]) => items.map((item) => (item.qInfo as { qId: string }).qId)

describe('the dump of an app', () => {
  for (const path of [`/v4/app/${SALES_DASHBOARD}/dump`, `/v4/senseappdump/${SALES_DASHBOARD}`]) {
    test(`GET ${path} has its members in the fixed order`, async () => {
      const answer = await apps.get(path)
      expect(answer.status).toBe(200)
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      expect(Object.keys(JSON.parse(answer.body))).toEqual([
        'properties',
        'loadScript',
        'lineage',
        'sheets',
        'stories',
        'masterobjects',
        'appprops',
        'dataconnections',
        'dimensions',
        'measures',
        'bookmarks',
        'embeddedmedia',
        'snapshots',
        'fields',
        'variables',
        'appId',
      ])
      expect(apps.log.of('info')).toContain(`APPDUMP: Dumping app: ${SALES_DASHBOARD}`)
    })
  }

  test('holds properties, script, lineage and the id of the app', async () => {
    const { properties, loadScript, lineage, appId, fields } = await dump(SALES_DASHBOARD)
    expect(properties).toMatchObject({ qTitle: 'Sales Dashboard', qHasSectionAccess: false })
    expect(loadScript).toStartWith("///$tab Main\r\nSET ThousandSep=' ';\r\n")
    expect(lineage).toEqual([
      {
        qDiscriminator: 'lib://QVD/sales.qvd;',
        qStatement: 'LOAD Region, Country, Month, Product, Customer, Sales, Cost FROM [lib://QVD/sales.qvd] (qvd)',
      },
    ])
    expect(appId).toBe(SALES_DASHBOARD)
    // The app is opened without its data.
    expect(fields).toEqual([])
  })

  test('holds sheets, stories and master objects with all that is below them', async () => {
    const { sheets, stories, masterobjects, appprops } = await dump(SALES_DASHBOARD)
    expect(sheets.map(({ qProperty }) => qProperty.qMetaDef)).toEqual([
      { title: 'Overview', description: '' },
      { title: 'Details', description: '' },
      { title: 'Charts', description: '' },
    ])
    expect(sheets.map(({ qChildren }) => ids(qChildren.map(({ qProperty }) => qProperty)))).toEqual([
      ['chSales', 'kpSales', 'fpMain'],
      ['tbDetail', 'chLinked', 'pvRegion'],
      ['lnMonth', 'pcRegion', 'stYear', 'cbMonth', 'spCountry', 'tmProduct', 'kpBacklog', 'tbOrders'],
    ])
    expect(Object.keys(sheets[0]!)).toEqual(['qProperty', 'qChildren', 'qEmbeddedSnapshotRef'])
    expect(stories).toMatchObject([
      {
        qProperty: { qInfo: { qType: 'story' }, qMetaDef: { title: 'Quarterly review' } },
        qChildren: [{ qProperty: { qInfo: { qId: 'slQ1' } }, qChildren: [{ qProperty: { qInfo: { qId: 'siQ1' } } }] }],
      },
    ])
    expect(masterobjects).toMatchObject([{ qProperty: { qInfo: { qId: 'moSales', qType: 'masterobject' } } }])
    expect(appprops).toMatchObject([{ qProperty: { qInfo: { qType: 'appprops' }, theme: 'horizon' } }])
  })

  test('holds master items, bookmarks with their selections, snapshots and media', async () => {
    const { dimensions, measures, bookmarks, snapshots, embeddedmedia } = await dump(SALES_DASHBOARD)
    expect(dimensions).toEqual([
      {
        qInfo: { qId: 'dimRegion', qType: 'dimension' },
        qDim: {
          qGrouping: 'N',
          qFieldDefs: ['Region'],
          qFieldLabels: ['Region'],
          qLabelExpression: '',
          title: 'Region',
        },
        qMetaDef: { title: 'Region', description: '', tags: [] },
      },
      {
        qInfo: { qId: 'dimMonth', qType: 'dimension' },
        qDim: { qGrouping: 'N', qFieldDefs: ['Month'], qFieldLabels: ['Month'], qLabelExpression: '', title: 'Month' },
        qMetaDef: { title: 'Month', description: '', tags: [] },
      },
    ])
    expect(ids(measures)).toEqual(['meaSales', 'meaMargin', 'meaOrders'])
    expect(ids(bookmarks)).toEqual(['bm1', 'bm2'])
    expect(bookmarks[0]).toMatchObject({
      qMetaDef: { title: 'Nordic and Benelux', description: '' },
      qData: {
        qBookMark: {
          qStateData: [
            {
              qStateName: '$',
              qFieldItems: [{ qDef: { qName: 'Region' }, qValues: [{ qText: 'Nordic' }, { qText: 'Benelux' }] }],
            },
          ],
        },
      },
    })
    expect(ids(snapshots as Json[])).toEqual(['c9e1c2d3-0001-4000-8000-000000000001'])
    expect(embeddedmedia).toEqual([{ qUrlDef: '/media/logo.png', qUrl: '/media/logo.png' }])
  })

  test('holds variables with the flags of the list, and data connections', async () => {
    const { variables, dataconnections } = await dump(SALES_DASHBOARD)
    const flags = variables.map(({ qName, qIsScriptCreated, qIsReserved }) => [qName, qIsScriptCreated, qIsReserved])
    expect(flags).toEqual([
      ['vYear', true, undefined],
      ['vCurrency', true, undefined],
      ['vTarget', undefined, undefined],
      ['vShowDetail', undefined, undefined],
      ['ThousandSep', true, true],
    ])
    expect(variables[2]).toMatchObject({ qDefinition: '=Sum(Sales)*1.1', qComment: 'Target of the year' })
    expect(dataconnections).toMatchObject([
      { qName: 'ERP', qConnectionString: '\\\\fs01\\erp\\', qType: 'folder' },
      { qName: 'QVD', qConnectionString: '\\\\fs01\\qvd\\', qType: 'folder' },
      { qName: 'Warehouse', qType: 'QvOdbcConnectorPackage.exe' },
    ])
  })

  test('is the same byte for byte as long as the app does not change', async () => {
    const first = await apps.get(`/v4/app/${SALES_DASHBOARD}/dump`)
    const second = await apps.get(`/v4/senseappdump/${SALES_DASHBOARD}`)
    expect(second.body).toBe(first.body)
  })

  test('leaves out the lineage when the engine does not tell it', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'engine-error', args: [2, 'Not found', 'GetLineage'] })
    const answer = await dump(SALES_DASHBOARD)
    expect(Object.keys(answer).slice(0, 3)).toEqual(['properties', 'loadScript', 'sheets'])
  })

  test('asks again when a request was overtaken', async () => {
    site.simulator.fault({
      listener: 'engine',
      mode: 'engine-error',
      args: [15, 'Request aborted', 'GetScript'],
      times: 3,
    })
    expect((await apps.get(`/v4/app/${SALES_DASHBOARD}/dump`)).status).toBe(200)
  })

  test('comes over a session of its own, opened without data', async () => {
    await apps.get(`/v4/app/${SALES_DASHBOARD}/dump`)
    await apps.get(`/v4/app/${SALES_DASHBOARD}/dump`)
    const paths = site.simulator.requests({ listener: 'engine' }).map(({ path }) => path)
    expect(paths).toHaveLength(2)
    for (const path of paths) expect(path).toMatch(/^\/app\/engineData\/identity\/[0-9a-f-]{36}$/)
    expect(paths[0]).not.toBe(paths[1])
  })

  for (const nn of [1, 3, 4, 8, 10]) {
    test(`is complete for app ${nn}`, async () => {
      const { appId, sheets } = await dump(APP(nn))
      expect(appId).toBe(APP(nn))
      expect(sheets.length).toBeGreaterThan(0)
    })
  }
})

describe('a dump that cannot be made answers', () => {
  const failures = [
    {
      name: '422 for an unknown app',
      appId: NO_APP,
      status: 422,
      error: 'Unprocessable Entity',
      details: 'App not found',
    },
    {
      name: '422 for what is no id',
      appId: 'no-such-app',
      status: 422,
      error: 'Unprocessable Entity',
      details: 'App not found',
    },
    {
      name: '400 without an id',
      appId: '',
      status: 400,
      error: 'Bad Request',
      details: 'Required parameter (app ID) missing',
    },
  ]
  for (const { name, appId, status, error, details } of failures) {
    for (const path of [`/v4/app/${appId}/dump`, `/v4/senseappdump/${appId}`]) {
      test(`${name}: ${path}`, async () => {
        const answer = await apps.get(path)
        expect(answer.status).toBe(status)
        expect(answer.body).toBe(JSON.stringify({ statusCode: status, error, message: 'Failed dumping app', details }))
      })
    }
  }

  test('422 for an app that the configured user may not open', async () => {
    const carla = await startApps(site, {
      engine: { headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=LAB;UserId=carla' }] },
    })
    const answer = await carla.get(`/v4/app/${APP(1)}/dump`)
    await carla.stop()
    expect(answer.status).toBe(422)
    expect(JSON.parse(answer.body).details).toContain('Access is denied')
  })

  test('502 when the engine is down', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'status', args: [503] })
    const answer = await apps.get(`/v4/app/${SALES_DASHBOARD}/dump`)
    expect(answer.status).toBe(502)
    expect(JSON.parse(answer.body).message).toBe('Failed dumping app')
  })

  test('502 when the engine fails before the first byte is sent', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'engine-error', args: [5006, 'Busy', 'GetFullPropertyTree'] })
    const answer = await apps.get(`/v4/app/${SALES_DASHBOARD}/dump`)
    expect(answer.status).toBe(502)
    expect(JSON.parse(answer.body)).toMatchObject({
      message: 'Failed dumping app',
      details: expect.stringContaining('GetFullPropertyTree: Busy (engine error 5006)'),
    })
  })

  test('504 when the engine accepts and stays silent', async () => {
    const impatient = await startApps(site, { engine: { connectTimeoutMs: 300 } })
    site.simulator.fault({ listener: 'engine', mode: 'hang' })
    const answer = await impatient.get(`/v4/app/${SALES_DASHBOARD}/dump`)
    await impatient.stop()
    expect(answer.status).toBe(504)
  })
})
