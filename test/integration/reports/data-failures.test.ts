/** The engine down, slow, refusing, lost, silent about rows; access of single persons; retries. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createEngineClient } from '../../../src/qlik/engine/client.ts'
import { ReportError } from '../../../src/reports/codes.ts'
import { openReportData } from '../../../src/reports/data/index.ts'
import { isEngineLost, withEngineRetries } from '../../../src/reports/data/retry.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { failureOf, type ReportEngine, rowsOf, startReportEngine, values } from '../../support/report-engine.ts'
import { type EngineCall, scriptedEngine } from '../../support/scripted-engine.ts'
import { APP, REPOSITORY } from '../../support/simulated-engine.ts'
import { until } from '../../support/wait.ts'

const SALES_DASHBOARD = 2
const HR_INSIGHTS = 4
let engine: ReportEngine

beforeAll(async () => {
  engine = await startReportEngine()
})
afterEach(() => engine.faults.clear())
afterAll(() => engine.stop())

const fault = (mode: string, ...args: unknown[]) => engine.faults.add({ listener: 'engine', mode, args })
const opened = (app: number, changes: Parameters<ReportEngine['openData']>[1] = {}) => engine.openData(app, changes)
const regions = [{ label: '', expr: 'Region', kind: 'dimension' as const }]

describe('opening an app', () => {
  test('gives its name and last reload', async () => {
    const { app } = await opened(SALES_DASHBOARD)
    expect(app).toEqual({ id: APP(2), name: 'Sales Dashboard', lastReload: new Date('2026-03-01T18:00:00.000Z') })
  })

  test('that does not exist', async () => {
    expect(await failureOf(opened(77))).toBe(
      `APP_NOT_FOUND: Qlik Sense has no app with the id ${APP(77)} of the report; the QMC and the address of an open app show the id`,
    )
  })

  test('without data', async () => {
    const app = engine.site.apps.get(APP(7))!
    engine.site.apps.set(APP(7), { ...app, lastReloadTime: Number.NEGATIVE_INFINITY })
    expect(await failureOf(opened(7))).toBe(`APP_NO_DATA: the app "Slow Warehouse Load" (${APP(7)}) holds no data`)
  })

  const cases: readonly { name: string; mode: string; args: unknown[]; failure: string }[] = [
    {
      name: 'with no session left',
      mode: 'session-limit',
      args: [],
      failure: 'the session began with SESSION_ERROR_LIMIT_EXCEEDED',
    },
    { name: 'in a busy engine', mode: 'engine-error', args: [5006, 'Busy', 'OpenDoc'], failure: 'Busy' },
    { name: 'behind a login page', mode: 'html', args: [], failure: 'HTTP 200' },
    { name: 'that breaks the connection', mode: 'engine-close', args: [undefined, 'OpenDoc'], failure: 'code 1006' },
  ]
  for (const { name, mode, args, failure } of cases) {
    test(`${name} can be retried`, async () => {
      fault(mode, ...args)
      const error = await opened(SALES_DASHBOARD).catch((reason: unknown) => reason)
      expect(isEngineLost(error)).toBe(true)
      expect((error as ReportError).details).toInclude(failure)
    })
  }

  test('of an engine that is down can be retried', async () => {
    const client = createEngineClient(
      { log: recordingLog() },
      { host: '127.0.0.1', port: 1, useSSL: false, headers: [], rejectUnauthorized: true, certificates: () => null },
    )
    const settings = { appId: APP(2), identity: 'down', limits: { maxRowsPerTable: 10 }, timezone: 'UTC' }
    const work = openReportData(client, { ...settings, now: new Date(), warn: () => undefined })
    expect(await failureOf(work)).toStartWith('ENGINE_UNREACHABLE: ')
  })
})

describe('persons', () => {
  test('see what section access lets them see', async () => {
    const departments = async (userId: string) => {
      const open = await opened(HR_INSIGHTS, { user: { userDirectory: 'LAB', userId } })
      const { data } = await open.apply([])
      return (await data.fieldValues('Department')).map(({ text }) => text).toSorted()
    }
    expect(await departments('anna')).toEqual(['Finance', 'HR'])
    expect(await departments('bertil')).toEqual(['IT'])
    const open = await opened(HR_INSIGHTS, { user: { userDirectory: 'LAB', userId: 'bertil' } })
    expect(await failureOf(open.apply([values('Department', ['Finance'])]))).toBe(
      'FILTER_VALUE_UNKNOWN: Department: Finance',
    )
  })

  test('without access to the app stop the document', async () => {
    const user = { userDirectory: 'LAB', userId: 'dora' }
    expect(await failureOf(opened(HR_INSIGHTS, { user }))).toStartWith(`APP_ACCESS_DENIED: ${APP(4)}`)
    fault('engine-denied', 'LAB\\anna')
    const anna = { userDirectory: 'LAB', userId: 'anna' }
    expect(await failureOf(opened(SALES_DASHBOARD, { user: anna }))).toStartWith(`APP_ACCESS_DENIED: ${APP(2)}`)
    expect((await opened(SALES_DASHBOARD)).app.name).toBe('Sales Dashboard')
  })

  test.each(['SESSION_ERROR_APP_ACCESS_DENIED', 'SESSION_ERROR_NO_LICENSE'])(
    'refused with %s stop it as well',
    async (state) => {
      fault('on-connected', state)
      const user = { userDirectory: 'LAB', userId: 'anna' }
      expect(await failureOf(opened(SALES_DASHBOARD, { user }))).toBe(
        `APP_ACCESS_DENIED: ${APP(2)}, LAB\\anna: the session began with ${state}`,
      )
    },
  )

  test('have names that cannot leave their place in the header', async () => {
    const user = { userDirectory: 'LAB', userId: 'anna; UserId=sa_repository; x=é%' }
    expect(await failureOf(opened(HR_INSIGHTS, { user }))).toStartWith('APP_ACCESS_DENIED')
  })
})

describe('an engine that fails later', () => {
  test('a call without an answer ends after its time', async () => {
    const open = await opened(SALES_DASHBOARD, { callTimeoutMs: 1500 })
    const { data } = await open.apply([])
    const stalled = fault('engine-stall', 'EvaluateEx')
    expect(await failureOf(data.evaluate('=Sum(Sales)'))).toInclude('EvaluateEx: no answer within 1500 ms')
    expect(stalled.mode).toBe('engine-stall')
  })

  test('the signal of the run ends what is under way', async () => {
    const run = new AbortController()
    const open = await opened(SALES_DASHBOARD, { signal: run.signal })
    const { data } = await open.apply([])
    fault('engine-stall', 'EvaluateEx')
    const work = data.evaluate('=Sum(Sales)').catch((error: Error) => error.message)
    run.abort()
    expect(await work).toInclude('the work was called off')
  })

  for (const code of [1001, 3001, undefined]) {
    test(`a session that is closed with ${code ?? 'no code'} can be retried`, async () => {
      const open = await opened(SALES_DASHBOARD)
      const { data } = await open.apply([])
      const table = await data.table({ columns: regions })
      fault('engine-close', code, 'GetHyperCubeData')
      expect(await failureOf(rowsOf(table))).toInclude(`closed with code ${code ?? 1006}`)
      expect(isEngineLost(await data.evaluate('=1').catch((error: unknown) => error))).toBe(true)
    })
  }

  test('a request that was overtaken can be retried; another error is about the expression', async () => {
    const { data } = await (await opened(SALES_DASHBOARD)).apply([])
    fault('engine-error', 15, 'Request aborted', 'EvaluateEx')
    expect(await failureOf(data.evaluate('=Sum(Sales)'))).toStartWith('ENGINE_UNREACHABLE')
    engine.faults.clear()
    fault('engine-error', 7004, 'Timed out', 'EvaluateEx')
    await expect(data.evaluate('=Sum(Sales)')).rejects.toThrow('Timed out (engine error 7004)')
  })
})

describe('retries', () => {
  const pausesMs = [10, 20]

  test('a lost session is followed by another one', async () => {
    engine.faults.add({ listener: 'engine', mode: 'engine-close', args: [1001, 'GetHyperCubeData'], times: 2 })
    const lines: string[] = []
    const attempts: number[] = []
    const rows = await withEngineRetries(
      async (attempt) => {
        attempts.push(attempt)
        const { data } = await (await opened(SALES_DASHBOARD)).apply([values('Region', ['Nordic'])])
        return rowsOf(await data.table({ columns: regions }))
      },
      { line: (text) => void lines.push(text), pausesMs },
    )
    expect(rows).toEqual([[{ text: 'Nordic', number: null }]])
    expect(attempts).toEqual([1, 2, 3])
    expect(lines[0]).toMatch(/^engine lost, attempt 2 of 3 in \d+ ms: .*closed with code 1001/)
    expect(lines).toHaveLength(2)
  })

  test('end after the last pause, at other failures, and with the run', async () => {
    const count = async (error: unknown, signal?: AbortSignal) => {
      let attempts = 0
      const work = async () => {
        attempts += 1
        throw error
      }
      const deps = { line: () => undefined, pausesMs, ...(signal ? { signal } : {}) }
      await expect(withEngineRetries(work, deps)).rejects.toBe(error as Error)
      return attempts
    }
    expect(await count(new ReportError('ENGINE_UNREACHABLE', 'down'))).toBe(3)
    expect(await count(new ReportError('FILTER_EMPTY', 'Region'))).toBe(1)
    expect(await count(new Error('mistake'))).toBe(1)
    expect(await count(new ReportError('ENGINE_UNREACHABLE', 'down'), AbortSignal.abort())).toBe(1)
  })

  test('a run that ends during a pause does not wait for it', async () => {
    const run = new AbortController()
    const lines: string[] = []
    const lost = new ReportError('ENGINE_UNREACHABLE', 'down')
    const work = withEngineRetries(() => Promise.reject(lost), {
      line: (text) => void lines.push(text),
      signal: run.signal,
      pausesMs: [60_000],
    })
    const outcome = work.catch((error: unknown) => error)
    await until(() => lines.length > 0)
    run.abort()
    expect(await outcome).toBe(lost)
  })

  test('pauses are spread by a fifth', async () => {
    const pauses: string[] = []
    for (const random of [0, 1]) {
      const work = () => Promise.reject(new ReportError('ENGINE_UNREACHABLE', 'down'))
      await withEngineRetries(work, {
        line: (text) => void pauses.push(text),
        pausesMs: [100],
        random: () => random,
      }).catch(() => undefined)
    }
    expect(pauses.map((line) => line.match(/in (\d+) ms/)?.[1])).toEqual(['80', '120'])
  })
})

/** Answers like an engine whose cube has five rows and one column, but for what a test changes. */
const cubeAnswers = (changes: (call: EngineCall) => unknown) => (call: EngineCall) => {
  const changed = changes(call)
  if (changed !== undefined) return changed
  const cell = (index: number) => ({ qText: `R${index}`, qNum: 'NaN', qElemNumber: index, qState: 'O' })
  switch (call.method) {
    case 'OpenDoc':
    case 'CreateSessionObject':
    case 'GetField':
      return { qReturn: { qType: 'x', qHandle: 1 } }
    case 'GetAppLayout':
      return { qLayout: { qTitle: 'Scripted', qHasData: true } }
    case 'GetLayout':
      return {
        qLayout: {
          qHyperCube: {
            qSize: { qcx: 1, qcy: 5 },
            qDimensionInfo: [{ qFallbackTitle: 'Region', qNumFormat: { qType: 'I' } }],
            qMeasureInfo: [],
          },
          qListObject: {
            qSize: { qcx: 1, qcy: 5 },
            qDimensionInfo: { qStateCounts: { qSelected: 1, qOption: 0, qAlternative: 4 } },
          },
        },
      }
    case 'GetListObjectData':
      return { qDataPages: [{ qMatrix: [0, 1, 2, 3, 4].map((index) => [{ ...cell(index), qState: 'S' }]) }] }
    case 'GetHyperCubeData': {
      const [, [{ qTop, qHeight }]] = call.params as [string, [{ qTop: number; qHeight: number }]]
      const rows = [0, 1, 2, 3, 4].slice(qTop, qTop + qHeight)
      return { qDataPages: [{ qMatrix: rows.map((index) => [cell(index)]) }] }
    }
    default:
      return { qReturn: true, qSuccess: true }
  }
}

async function scripted(changes: (call: EngineCall) => unknown) {
  const peer = await scriptedEngine({ answer: cubeAnswers(changes) })
  const client = createEngineClient(
    { log: recordingLog() },
    {
      host: '127.0.0.1',
      port: peer.port,
      useSSL: false,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY }],
      rejectUnauthorized: true,
      certificates: () => null,
    },
  )
  const open = await openReportData(client, {
    appId: APP(2),
    identity: 'scripted',
    limits: { maxRowsPerTable: 100 },
    timezone: 'UTC',
    now: new Date(),
    warn: () => undefined,
  })
  return {
    open,
    async [Symbol.asyncDispose]() {
      await open.close()
      await peer[Symbol.asyncDispose]()
    },
  }
}

describe('an engine that sends less than it announced', () => {
  const page = (matrix: unknown[][]) => ({ qDataPages: [{ qMatrix: matrix }] })
  const cases: readonly { name: string; answer: (top: number) => unknown; failure: string }[] = [
    { name: 'no rows', answer: () => page([]), failure: 'table: row 1 of 5 was not sent' },
    { name: 'no pages', answer: () => ({ qDataPages: [] }), failure: 'table: row 1 of 5 was not sent' },
    {
      name: 'the last rows',
      answer: (top) => (top < 3 ? page([[{ qText: 'a' }], [{ qText: 'b' }], [{ qText: 'c' }]]) : page([])),
      failure: 'table: row 4 of 5 was not sent',
    },
    { name: 'no cells', answer: () => page([[], [], [], [], []]), failure: 'a row without all of its cells' },
  ]
  for (const { name, answer, failure } of cases) {
    test(`${name}: an error`, async () => {
      await using peer = await scripted(({ method, params }) => {
        if (method !== 'GetHyperCubeData') return undefined
        return answer((params as [string, [{ qTop: number }]])[1][0].qTop)
      })
      const { data } = await peer.open.apply([])
      expect(await failureOf(rowsOf(await data.table({ columns: regions })))).toInclude(failure)
    })
  }

  test('smaller pages than asked for are put together', async () => {
    await using peer = await scripted(({ method, params }) => {
      if (method !== 'GetHyperCubeData') return undefined
      const { qTop } = (params as [string, [{ qTop: number }]])[1][0]
      return page([0, 1].filter((row) => qTop + row < 5).map((row) => [{ qText: `R${qTop + row}`, qNum: 'NaN' }]))
    })
    const { data } = await peer.open.apply([])
    const rows = await rowsOf(await data.table({ columns: regions }))
    expect(rows.map((row) => row[0]?.text)).toEqual(['R0', 'R1', 'R2', 'R3', 'R4'])
  })

  test('a selection that is not the wanted one is an error', async () => {
    await using peer = await scripted(({ method }) => {
      if (method === 'GetListObjectData') {
        return page([[{ qText: 'Nordic', qNum: 'NaN', qElemNumber: 0, qState: 'S' }]])
      }
      return undefined
    })
    const { data } = await peer.open.apply([values('Region', ['Nordic'])])
    expect(data.filterText).toBe('Region: Nordic')
    let selections = 0
    await using other = await scripted(({ method }) => {
      if (method === 'GetListObjectData') {
        selections += 1
        const text = selections === 1 ? 'Nordic' : 'DACH'
        return page([[{ qText: text, qNum: 'NaN', qElemNumber: 0, qState: 'S' }]])
      }
      return undefined
    })
    expect(await failureOf(other.open.apply([values('Region', ['Nordic'])]))).toBe(
      'ENGINE_UNREACHABLE: Region: the data of the app changed while it was read',
    )
  })

  test('a selection that the engine did not take is an error', async () => {
    let layouts = 0
    await using peer = await scripted(({ method }) => {
      if (method === 'GetListObjectData') {
        return page([[{ qText: 'Nordic', qNum: 'NaN', qElemNumber: 0, qState: 'S' }]])
      }
      if (method !== 'GetLayout') return undefined
      layouts += 1
      const qStateCounts = layouts === 1 ? { qSelected: 1 } : { qSelected: 0, qOption: 5 }
      return { qLayout: { qListObject: { qSize: { qcx: 1, qcy: 5 }, qDimensionInfo: { qStateCounts } } } }
    })
    expect(await failureOf(peer.open.apply([values('Region', ['Nordic'])]))).toBe(
      'FILTER_FAILED: Region: 0 values are selected instead of 1',
    )
  })
})
