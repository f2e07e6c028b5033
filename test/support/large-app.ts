/** A scripted engine's answers for an app of nothing but sheets, as large as a test wants it. */
import type { EngineCall } from './scripted-engine.ts'

export const SHEET_BYTES = 50_000
const FILLING = 'x'.repeat(SHEET_BYTES)
const OBJECT_HANDLES = 1000
/** The result of `spoil` for a call that gets no answer. */
export const SILENT = Symbol('no answer')

/** Any result of `spoil` but undefined is the answer instead. */
export function largeApp(sheets: number, spoil: (call: EngineCall) => unknown = () => undefined) {
  let listed = ''
  return async (call: EngineCall): Promise<unknown> => {
    // All that has been asked by now is under way at the same time.
    await new Promise(setImmediate)
    const own = await spoil(call)
    if (own !== undefined) return own === SILENT ? undefined : own
    switch (call.method) {
      case 'OpenDoc':
        return { qReturn: { qType: 'Doc', qHandle: 1 } }
      case 'GetAppProperties':
        return { qProp: { qTitle: 'Large' } }
      case 'GetScript':
        return { qScript: 'LOAD 1;' }
      case 'GetLineage':
        return { qLineage: [] }
      case 'GetConnections':
        return { qConnections: [] }
      case 'CreateSessionObject':
        listed = listOf(call)
        return { qReturn: { qType: 'GenericObject', qHandle: 2 } }
      case 'GetLayout':
        return { qLayout: { [listed]: { qItems: isSheetList(call) ? sheetItems(sheets) : [] } } }
      case 'GetObject':
        return { qReturn: { qType: 'GenericObject', qHandle: OBJECT_HANDLES + Number(call.params[0]) } }
      case 'GetFullPropertyTree':
        return { qPropEntry: { qProperty: { number: call.handle - OBJECT_HANDLES, FILLING }, qChildren: [] } }
      default:
        return {}
    }
  }
}

const listOf = ({ params }: EngineCall) =>
  (Object.keys(params[0] as object).find((name) => name.endsWith('ListDef')) ?? '').replace(/Def$/, '')

/** The first list of a dump: document, properties, script, lineage, list and layout are asked for in this order. */
const isSheetList = ({ id }: EngineCall) => id <= 7

const sheetItems = (count: number) =>
  Array.from({ length: count }, (_, number) => ({ qInfo: { qId: String(number), qType: 'sheet' } }))
