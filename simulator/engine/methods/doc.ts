import { NEVER_MS } from '../../entities.ts'
import { expandDollars } from '../calc/evaluate.ts'
import { ownNumber } from '../calc/functions.ts'
import { ExpressionError, parseExpression } from '../calc/parse.ts'
import { type DataModel, type DataTable, presentCodes, tagsOf } from '../data.ts'
import { engineError } from '../errors.ts'
import { asFlag, asList, asNumber, asObject, asText, type Json, orNaN } from '../json.ts'
import { evaluateSafely } from '../layout/layout.ts'
import type { ReloadOutcome } from '../reload.ts'
import { type Call, calculation, type MethodTable, method, type TargetOf } from '../types.ts'

type Doc = TargetOf<'Doc'>

/** Methods of the app itself: properties, script, data model, expressions, selections as a whole, reload, save. */
export const DOC_METHODS: MethodTable<'Doc'> = {
  GetAppProperties: method('', (target) => ({ qProp: appProperties(target) })),
  GetAppLayout: method('', (target) => ({ qLayout: appLayout(target) })),
  GetScript: method('', ({ doc }) => ({ qScript: doc.content.script })),
  GetScriptEx: method('', ({ doc }) => ({ qScript: { qScript: doc.content.script, qMeta: { version: '' } } })),
  GetEmptyScript: method('qLocalizedMainSection', () => ({ qReturn: '///$tab Main\r\n' })),
  GetLineage: method('', ({ doc }) => ({ qLineage: doc.content.lineage })),
  GetTablesAndKeys: method('qWindowSize qNullSize qCellHeight qSyntheticMode qIncludeSysVars', ({ doc }) => ({
    qtr: doc.context.model.tables.map(tableRecord),
    qk: [],
  })),
  GetTableData: method('qOffset qRows qSyntheticMode qTableName', ({ doc }, [offset, rows, _mode, name]) => ({
    qData: tableRows(doc.context.model, asText(name), asNumber(offset), asNumber(rows)),
  })),
  GetFieldDescription: method('qFieldName', ({ doc }, [name]) => {
    const field = doc.context.model.field(asText(name))
    if (!field) throw engineError('NOT_FOUND', asText(name))
    return { qReturn: fieldRecord(field.table, field.column.name) }
  }),

  Evaluate: calculation('qExpression', ({ doc }, [expression]) => {
    const { value, error } = evaluateSafely(asText(expression), doc)
    return { qReturn: error ?? value?.text ?? '-' }
  }),
  EvaluateEx: calculation('qExpression', ({ doc }, [expression]) => {
    const { value, error } = evaluateSafely(asText(expression), doc)
    const num = ownNumber(value)
    return { qValue: { qText: error ?? value?.text ?? '-', qIsNumeric: !Number.isNaN(num), qNumber: orNaN(num) } }
  }),
  ExpandExpression: method('qExpression', ({ doc }, [expression]) => ({
    qExpandedExpression: expandDollars(asText(expression), doc.context),
  })),
  CheckExpression: method('qExpr qLabels', (target, [expression]) => checkExpression(target, asText(expression))),
  CheckScriptSyntax: method('', () => ({ qErrors: [] })),

  ClearAll: method('qLockedAlso qStateName', ({ doc }, [lockedAlso], { session }) => {
    doc.context.selections.clearAll(asFlag(lockedAlso))
    session.selected()
    return {}
  }),
  LockAll: method('qStateName', (target, _args, { session }) => lockAll(target, true, session)),
  UnlockAll: method('qStateName', (target, _args, { session }) => lockAll(target, false, session)),

  // A script that fails is an answer, not an error.
  DoReload: method('qMode qPartial qDebug', async (target, [mode, partial], call) => {
    const { success } = await reload(target, { qMode: mode, qPartial: partial }, call)
    return { qReturn: success }
  }),
  DoReloadEx: method('qParams', async (target, [params], call) => {
    const { success, logFile } = await reload(target, asObject(params), call)
    return { qResult: { qSuccess: success, qScriptLogFile: logFile, qEndedWithMemoryConstraint: false } }
  }),
  DoSave: method('qFileName', ({ doc }, _args, { server, session }) => {
    const { app } = doc
    if (server.reloads.isRunning(app)) throw engineError('RELOAD_IN_PROGRESS', app.id)
    if (server.site.apps.get(app.id) !== app) throw engineError('APP_SAVE_FAILED', app.id)
    if (doc.hasUnsavedReload) {
      server.store.save(app, doc.versions)
      server.site.appReloaded(app, doc.lastReloadTime, session.user.name)
      doc.markSaved()
    }
    return {}
  }),
}

function lockAll({ doc }: Doc, locked: boolean, session: { selected(): void }): Json {
  for (const field of [...doc.context.selections.current().keys()]) doc.context.selections.lock(field, locked)
  session.selected()
  return {}
}

const iso = (at: number) => new Date(at).toISOString()

function appProperties({ doc }: Doc): Json {
  const { app } = doc
  return {
    qTitle: app.name,
    ...(doc.lastReloadTime > NEVER_MS ? { qLastReloadTime: iso(doc.lastReloadTime) } : {}),
    qMigrationHash: '21ecc792c56e18162f1785d3d41f28fdaced5c96',
    qSavedInProductVersion: '12.2027.0',
    qThumbnail: { qUrl: '' },
    qHasSectionAccess: app.sectionAccess,
    description: app.description,
  }
}

function appLayout(target: Doc): Json {
  const { app } = target.doc
  return {
    ...appProperties(target),
    qFileName: app.id,
    qMeta: {
      createdDate: iso(app.createdDate),
      modifiedDate: iso(app.modifiedDate),
      published: app.published,
      ...(app.published ? { publishTime: iso(app.publishTime) } : {}),
      ...(app.stream ? { stream: { id: app.stream.id, name: app.stream.name } } : {}),
      privileges: ['read', 'update', 'delete', 'reload', 'export'],
    },
    qHasScript: true,
    qHasData: !target.doc.noData && target.doc.versions.size > 0,
    qStateNames: [],
    qReadOnly: false,
    qIsOpenedWithoutData: target.doc.noData,
    qModified: target.doc.hasUnsavedReload,
  }
}

function tableRecord(table: DataTable): Json {
  return {
    qName: table.name,
    qLoose: false,
    qNoOfRows: table.rowCount,
    qFields: table.columns.map((column) => fieldRecord(table, column.name)),
    qPos: { qx: 0, qy: 0 },
    qComment: '',
    qIsDirectDiscovery: false,
    qIsSynthetic: false,
    qTableTags: [],
  }
}

function fieldRecord(table: DataTable, name: string): Json {
  const column = table.columns.find((one) => one.name === name)
  if (!column) return {}
  let nulls = 0
  for (let row = 0; row < table.rowCount; row++) if (column.codeAt(row) < 0) nulls += 1
  const distinct = presentCodes({ table, column }).reduce((sum, present) => sum + present, 0)
  return {
    qName: name,
    qOriginalFields: [],
    qPresent: true,
    qHasNull: nulls > 0,
    qHasWild: false,
    qHasDuplicates: distinct < table.rowCount,
    qIsSynthetic: false,
    qInformationDensity: table.rowCount === 0 ? 0 : 1 - nulls / table.rowCount,
    qnNonNulls: table.rowCount - nulls,
    qnRows: table.rowCount,
    qSubsetRatio: 1,
    qnTotalDistinctValues: distinct,
    qnPresentDistinctValues: distinct,
    qKeyType: 'NOT_KEY',
    qTags: tagsOf(column),
  }
}

const MAX_TABLE_ROWS = 10_000

function tableRows(model: DataModel, name: string, offset: number, rows: number): Json[] {
  const table = model.tables.find((one) => one.name === name)
  if (!table) throw engineError('NOT_FOUND', name)
  const end = Math.min(table.rowCount, offset + Math.min(rows, MAX_TABLE_ROWS))
  return Array.from({ length: Math.max(0, end - offset) }, (_, index) => ({
    qValue: table.columns.map((column) => {
      const code = column.codeAt(offset + index)
      if (code < 0) return { qText: '-', qIsNumeric: false, qNumber: 'NaN' }
      const { text, num } = column.symbol(code)
      return { qText: text, qIsNumeric: !Number.isNaN(num), qNumber: orNaN(num) }
    }),
  }))
}

function checkExpression({ doc }: Doc, expression: string): Json {
  try {
    const tree = parseExpression(expandDollars(expression, doc.context))
    const unknown = fieldNames(tree).filter((name) => !doc.context.model.field(name))
    const positions = unknown.map((name) => ({ qFrom: expression.indexOf(name), qCount: name.length }))
    return { qErrorMsg: '', qBadFieldNames: positions, qDangerousFieldNames: [] }
  } catch (problem) {
    if (!(problem instanceof ExpressionError)) throw problem
    return { qErrorMsg: `Error: ${problem.message}`, qBadFieldNames: [], qDangerousFieldNames: [] }
  }
}

/** Every field that an expression names. */
function fieldNames(tree: unknown): string[] {
  const node = asObject(tree)
  if (node.kind === 'field') return [asText(node.name)]
  return [node.operand, node.left, node.right, ...asList(node.args)].flatMap((part) => (part ? fieldNames(part) : []))
}

/** Resolves when the reload ends. A closed socket or an abort ends it early; then it rejects with error 15. */
async function reload(
  { doc }: Doc,
  params: Json,
  { server, session, connection, signal }: Call,
): Promise<ReloadOutcome> {
  if (doc.noData && asFlag(params.qPartial)) throw engineError('ALREADY_OPEN_IN_DIFFERENT_MODE', doc.app.id)
  const request = {
    mode: asNumber(params.qMode),
    partial: asFlag(params.qPartial),
    useErrorData: session.reloadSettings.useErrorData,
  }
  const running = server.reloads.start(doc, request, () => {
    if (server.faults.match('engine', connection.path, 'engine', ({ mode }) => mode === 'close-mid-reload')) {
      connection.terminate()
    }
  })
  session.reload = running
  signal.addEventListener('abort', () => running.cancel())
  const outcome = await running.finished
  if (signal.aborted) throw engineError('ABORTED')
  if (outcome.success) session.dataChanged()
  return outcome
}
