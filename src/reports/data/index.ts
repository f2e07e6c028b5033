/** The data of an app for the documents of a run: one session, filters as selections, tables and values under them. */
import { EngineError } from '../../qlik/engine/errors.ts'
import type { EngineAddress, EngineClient, EngineSession } from '../../qlik/engine/types.ts'
import { ReportError } from '../codes.ts'
import { nameText } from '../display.ts'
import type { Source } from '../entities/fields.ts'
import { type Cell, EvaluationError, type ReportData, type Selection, type Warn } from '../types.ts'
import { asList, asObject, asText, failureOf, type OpenApp, openApp } from './app.ts'
import { createExpressions } from './expressions.ts'
import { createFields } from './fields.ts'
import {
  type AppliedFilter,
  createFilterEvaluation,
  type FilterDeps,
  filterText,
  narrowed,
  selectAll,
  type Wanted,
} from './filters.ts'
import { appObject, requestedTable, type TableDeps } from './tables.ts'
import { createVariables } from './variables.ts'

export type { AppliedFilter } from './filters.ts'

export interface ReportDataSettings {
  readonly appId: string
  /** `<runId>-<n>`; keeps the selections apart from those of other sessions. */
  readonly identity: string
  /** The person whose section access applies; absent = the user of the configuration. */
  readonly user?: EngineAddress['user']
  readonly limits: { readonly maxRowsPerTable: number }
  /** For date filters. */
  readonly timezone: string
  /** Start of the run. */
  readonly now: Date
  readonly warn: Warn
  /** Ends the session and everything under way. */
  readonly signal?: AbortSignal
  /** For each call; default 5 minutes, because cubes of large apps take that long. */
  readonly callTimeoutMs?: number
}

export interface OpenData {
  readonly app: ReportData['app']
  /**
   * Replaces all selections by those of the filters, in the given order, and of the cycle. Returns the app under them;
   * what an earlier call returned cannot be used any more. Rejects with a `ReportError`: `FILTER_*`, `ENGINE_UNREACHABLE`.
   */
  apply(filters: readonly AppliedFilter[], cycle?: readonly Selection[]): Promise<AppliedData>
  /** Never rejects. */
  close(): Promise<void>
}

export interface AppliedData {
  readonly data: ReportData
  /** The same for conditions. */
  readonly unlimited: UnlimitedData
}

/** Reads all rows of tables, however many. */
export interface UnlimitedData extends ReportData {
  /** Value of a variable, evaluated when it is an expression. Rejects with an `EvaluationError` when there is none. */
  variable(name: string): Promise<Cell>
}

const CALL_TIMEOUT_MS = 5 * 60_000

/**
 * Opens the app in a session of its own; the caller closes it. Rejects with a `ReportError`: `APP_NOT_FOUND`,
 * `APP_ACCESS_DENIED`, `APP_NO_DATA`, `ENGINE_UNREACHABLE`.
 */
export async function openReportData(client: EngineClient, settings: ReportDataSettings): Promise<OpenData> {
  const session = await openSession(client, settings)
  try {
    const app = await openApp(session, settings.appId, settings.callTimeoutMs ?? CALL_TIMEOUT_MS)
    return openData(session, app, settings)
  } catch (error) {
    await session.close()
    throw error
  }
}

/** A session of its own for the app. Rejects with `APP_ACCESS_DENIED`, `ENGINE_UNREACHABLE`. */
export async function openSession(
  client: EngineClient,
  settings: Pick<ReportDataSettings, 'appId' | 'identity' | 'user' | 'signal'>,
): Promise<EngineSession> {
  const { appId, identity, user, signal } = settings
  try {
    return await client.open({ app: appId, identity, ...(user ? { user } : {}) }, signal)
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'refused' && NO_ACCESS.test(error.reason)) {
      const person = user ? `${user.userDirectory}\\${user.userId}` : 'the user of the configuration'
      throw new ReportError('APP_ACCESS_DENIED', `${appId}, ${person}: ${error.reason}`, { cause: error })
    }
    throw failureOf(error)
  }
}

/** States of a session that another attempt does not change. */
const NO_ACCESS = /ACCESS_DENIED|NO_LICENSE/

/** Selections in force, and the objects that were made under them. */
interface State {
  readonly wanted: Wanted
  readonly objects: string[]
}

function openData(session: EngineSession, app: OpenApp, { limits, now, timezone, warn }: ReportDataSettings): OpenData {
  const fields = createFields(app)
  const expressions = createExpressions(app)
  const variables = createVariables(app)
  const deps: FilterDeps = { app, fields, expressions, variables, now, timezone, warn }
  const evaluateFilters = createFilterEvaluation(deps)
  const identity = { id: app.id, name: app.name, lastReload: app.lastReload }
  /** Null while selections change, and after a change that failed. */
  let current: State | null = null
  /** Rises with every change of the selections. */
  let changes = 0

  async function select(make: () => Promise<Wanted>): Promise<State> {
    current = null
    changes += 1
    const wanted = await asFilterFailure(async () => {
      const made = await make()
      await selectAll(made, deps)
      return made
    })
    return { wanted, objects: [] }
  }

  /** Runs one read. Selections that another part changed meanwhile would make its result wrong. */
  async function guarded<T>(state: State, read: () => Promise<T>): Promise<T> {
    const before = changes
    if (current !== state) throw new Error('data of the app was asked for while other selections are in force')
    const result = await read()
    if (changes !== before) throw new Error('the selections were changed during a read')
    return result
  }

  async function drop(state: State): Promise<void> {
    for (const id of state.objects.splice(0)) await app.destroy(id)
  }

  async function within<T>(outer: State, selections: readonly Selection[], maxRows: number, work: Work<T>): Promise<T> {
    if (current !== outer) throw new Error('selections were added while other selections are in force')
    const result = await selectAndRun(outer, selections, maxRows, work).catch(async (error: unknown) => {
      // A failure here leaves no selections in force, so that every later read is refused.
      await restore(outer).catch(() => undefined)
      throw error
    })
    await restore(outer)
    return result
  }

  async function selectAndRun<T>(
    outer: State,
    added: readonly Selection[],
    maxRows: number,
    work: Work<T>,
  ): Promise<T> {
    const inner = await select(() => narrowed(outer.wanted, added, fields))
    current = inner
    const result = await work(dataOf(inner, maxRows))
    await drop(inner)
    return result
  }

  async function restore(state: State): Promise<void> {
    await select(async () => state.wanted)
    current = state
  }

  function dataOf(state: State, maxRows: number): ReportData {
    const guard = <T>(read: () => Promise<T>) => guarded(state, read)
    const own = (objectId: string) => void state.objects.push(objectId)
    const tables: TableDeps = { app, fields, expressions, maxRows, warn, guard, own }
    return {
      app: identity,
      filterText: filterText(state.wanted),
      evaluate: (expression) => guard(() => expressions.evaluate(expression)),
      table: (request) => guard(() => requestedTable(request, tables)),
      object: (objectId, options = {}) => guard(() => appObject(objectId, options, tables)),
      labelOf: (source) => guard(() => labelOf(source)),
      fieldValues: (name) => guard(async () => [...(await (await fields.need(name)).possible()).values()]),
      within: (selections, work) => within(state, selections, maxRows, work),
    }
  }

  async function labelOf(source: Source): Promise<string> {
    if (typeof source === 'string') return source.replace(/^\s*=\s*/, '')
    const { libraryId } = source
    const item = (await app.doc.child('GetDimension', [libraryId])) ?? (await app.doc.child('GetMeasure', [libraryId]))
    if (!item) throw new EvaluationError(`the app "${app.name}" has no master item "${libraryId}"`)
    const { qDim, qMeasure, qMetaDef } = asObject(await item.value('qProp', 'GetProperties'))
    const own = asText(asList(asObject(qDim).qFieldLabels)[0]) || asText(asObject(qMeasure).qLabel)
    const label = own || asText(asObject(qMetaDef).title) || libraryId
    return label.startsWith('=') ? nameText(await expressions.evaluate(label)) : label
  }

  return {
    app: identity,
    async apply(filters, cycle = []) {
      if (current) await drop(current)
      const state = await select(async () => narrowed(await evaluateFilters(filters), cycle, fields))
      current = state
      const { maxRowsPerTable } = limits
      const unlimited = dataOf(state, Number.POSITIVE_INFINITY)
      const variable = (name: string) => guarded(state, () => variables.value(name))
      return { data: dataOf(state, maxRowsPerTable), unlimited: { ...unlimited, variable } }
    },
    async close() {
      current = null
      changes += 1
      await session.close()
    },
  }
}

type Work<T> = (data: ReportData) => Promise<T>

/** An expression that fails in a filter stops the document. */
async function asFilterFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error
    throw new ReportError('FILTER_FAILED', error.message, { cause: error })
  }
}
