/** The data room of report tasks on a simulated engine. */
import { createEngineClient } from '../../src/qlik/engine/client.ts'
import type { EngineClient } from '../../src/qlik/engine/types.ts'
import type { RunCode } from '../../src/reports/codes.ts'
import { ReportError } from '../../src/reports/codes.ts'
import { type OpenData, openReportData, type ReportDataSettings } from '../../src/reports/data/index.ts'
import type { Clause } from '../../src/reports/entities/filter.ts'
import type { Row, Table } from '../../src/reports/types.ts'
import { recordingLog } from './recording-log.ts'
import { APP, REPOSITORY, startTestEngine } from './simulated-engine.ts'

export interface Warning {
  readonly code: RunCode
  readonly details: string
}

/** Without the default of `required`. */
type GivenClause<C = Clause> = C extends Clause ? Omit<C, 'required' | 'exclude'> & Partial<C> : never

/** A filter with these clauses. */
export const filter = (...clauses: readonly GivenClause[]) => ({
  clauses: clauses.map((clause) => ({ required: true, ...clause }) as Clause),
  variables: [],
})

export const values = (field: string, list: readonly (string | number)[], more: Partial<Clause> = {}) =>
  filter({ type: 'values', field, values: [...list], exclude: false, ...more } as GivenClause)

export async function startReportEngine(settings: Parameters<typeof startTestEngine>[0] = {}) {
  const engine = await startTestEngine(settings)
  const open: OpenData[] = []
  let identities = 0
  const { ca, client: certificate } = engine.tls

  const client: EngineClient = createEngineClient(
    { log: recordingLog() },
    {
      host: 'localhost',
      port: engine.engine.port,
      useSSL: true,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY }],
      rejectUnauthorized: true,
      certificates: { ca: ca.pem, cert: certificate.cert.pem, key: certificate.key.pem },
      connectTimeoutMs: 5000,
    },
  )

  return {
    ...engine,
    client,
    /** An open app of the data set by its number, with the warnings that it gives. */
    async openData(app: number, changes: Partial<ReportDataSettings> = {}) {
      const warnings: Warning[] = []
      const data = await openReportData(client, {
        appId: APP(app),
        identity: `run-${++identities}`,
        limits: { maxRowsPerTable: 100_000 },
        timezone: 'Europe/Stockholm',
        now: new Date('2026-03-02T06:00:00Z'),
        warn: (code, details) => void warnings.push({ code, details }),
        ...changes,
      })
      open.push(data)
      return Object.assign(data, { warnings })
    },
    async stop() {
      for (const one of open) await one.close()
      await engine.stop()
    },
  }
}

export type ReportEngine = Awaited<ReturnType<typeof startReportEngine>>

export async function rowsOf(table: Table): Promise<Row[]> {
  const rows: Row[] = []
  for await (const page of table.pages()) rows.push(...page)
  return rows
}

/** Texts of all cells. */
export const textsOf = async (table: Table): Promise<string[][]> =>
  (await rowsOf(table)).map((row) => row.map(({ text }) => text))

/** `CODE: details` of the `ReportError` with which the work has to fail. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (error instanceof ReportError) return error.message
    throw error
  }
  throw new Error('the work did not fail')
}
