/** Reads of apps over the engine: the list, and dumps, which are written as one JSON object while they are being read. */

import { randomUUID } from 'node:crypto'
import { jsonText } from '../http/endpoint/route.ts'
import { errorText } from '../platform/errors.ts'
import { releaseMemory } from '../platform/runtime.ts'
import type { Logger } from '../platform/types.ts'
import { openDoc } from '../qlik/engine/doc.ts'
import { EngineError, isRejected, QIX } from '../qlik/engine/errors.ts'
import type { EngineClient, EngineObject } from '../qlik/engine/types.ts'
import type { Apps } from './contract.ts'

/** The apps that the configured user may see, in the engine's order. Rejects with an `EngineError`. */
export function listApps(engine: EngineClient, signal?: AbortSignal): Promise<Apps> {
  return engine.use(
    { app: null },
    async (session) => {
      const list = await session.global.value('qDocList', 'GetDocList')
      if (!Array.isArray(list)) throw new EngineError('invalid', `${session.where} GetDocList`, 'a list was expected')
      return (list as readonly { qDocId?: unknown; qDocName?: unknown }[]).map(({ qDocId, qDocName }) => ({
        id: String(qDocId ?? ''),
        name: String(qDocName ?? ''),
      }))
    },
    signal,
  )
}

/** Calls to the engine at the same time, and so the items that are held in memory. */
const PARALLEL = 8

export interface Dump {
  /** The JSON text in pieces; rejects with an `EngineError` when the engine fails midway. */
  readonly pieces: AsyncGenerator<string>
  /** Ends the session with the engine; to be called in any case, also when `pieces` fails. */
  close(): Promise<void>
}

/**
 * Opens the app without its data. Rejects with an `EngineError`; nothing is left open then. When `signal` aborts, the
 * session closes and the pieces end with an error.
 */
export async function openDump(
  deps: { readonly engine: EngineClient; readonly log: Logger },
  appId: string,
  signal?: AbortSignal,
): Promise<Dump> {
  const session = await deps.engine.open({ identity: randomUUID() }, signal)
  try {
    const doc = await openDoc(session, appId, true)
    return { pieces: written(doc, appId, deps.log), close: session.close }
  } catch (error) {
    await session.close()
    throw error
  }
}

async function* written(doc: EngineObject, appId: string, log: Logger): AsyncGenerator<string> {
  let joint = '{'
  for (const member of DUMP_MEMBERS) {
    const head = `${joint}${JSON.stringify(member.name)}:`
    if ('list' in member) {
      yield `${head}[`
      yield* writtenItems(await member.list(doc), (item) => member.item(doc, item), member.name, log)
      yield ']'
    } else {
      const value = await member.value(doc)
      if (value === undefined) continue
      yield `${head}${JSON.stringify(value)}`
    }
    joint = ','
  }
  yield `${joint}"appId":${JSON.stringify(appId)}}`
}

async function* writtenItems(
  items: readonly Json[],
  read: (item: Json) => Promise<unknown>,
  name: string,
  log: Logger,
): AsyncGenerator<string> {
  let joint = ''
  for await (const text of inOrder(items, PARALLEL, async (item) => JSON.stringify(await read(item)))) {
    if (text === undefined) {
      log.debug(`APPDUMP: One of the ${name} is not part of the dump`)
      continue
    }
    yield `${joint}${text}`
    joint = ','
  }
}

/** Results in the order of the items, with at most `limit` of them under way or waiting to be taken. */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = []
  for (const item of items) {
    if (underWay.length >= limit) yield await underWay.shift()!
    const result = work(item)
    // After a failure of an earlier item this promise is not awaited any more.
    result.catch(() => {})
    underWay.push(result)
  }
  for (const result of underWay) yield await result
}

/** The members of a dump in the order in which they are written. */
type Json = Readonly<Record<string, unknown>>

type DumpMember =
  /** One value; `undefined` leaves the member out. */
  | { readonly name: string; readonly value: (doc: EngineObject) => Promise<unknown> }
  /** A list whose items are read one by one; `undefined` leaves an item out. */
  | {
      readonly name: string
      readonly list: (doc: EngineObject) => Promise<readonly Json[]>
      readonly item: (doc: EngineObject, item: Json) => Promise<unknown>
    }

const DUMP_MEMBERS: readonly DumpMember[] = [
  { name: 'properties', value: (doc) => doc.value('qProp', 'GetAppProperties') },
  { name: 'loadScript', value: (doc) => doc.value('qScript', 'GetScript') },
  { name: 'lineage', value: lineage },
  appObjects('sheets', 'sheet'),
  appObjects('stories', 'story'),
  appObjects('masterobjects', 'masterobject'),
  appObjects('appprops', 'appprops'),
  {
    name: 'dataconnections',
    list: connections,
    item: dataConnection,
  },
  {
    name: 'dimensions',
    list: listed('qDimensionList', { qType: 'dimension', qData: { id: '/qInfo/qId' } }),
    item: async (doc, item) => properties(await doc.child('GetDimension', [idOf(item)])),
  },
  {
    name: 'measures',
    list: listed('qMeasureList', { qType: 'measure', qData: { id: '/qInfo/qId' } }),
    item: async (doc, item) => properties(await doc.child('GetMeasure', [idOf(item)])),
  },
  { name: 'bookmarks', list: bookmarksOf('bookmark'), item: bookmark },
  {
    name: 'embeddedmedia',
    list: listed('qMediaList', {}),
    item: async (_doc, item) => (String(item.qUrlDef ?? '').startsWith('/media/') ? item : undefined),
  },
  {
    name: 'snapshots',
    list: bookmarksOf('snapshot'),
    item: async (doc, item) => properties(await doc.child('GetBookmark', [idOf(item)])),
  },
  {
    name: 'fields',
    list: listed('qFieldList', { qShowSystem: true, qShowHidden: true, qShowSrcTables: true, qShowSemantic: true }),
    item: async (_doc, item) => item,
  },
  {
    name: 'variables',
    list: listed('qVariableList', { qType: 'variable', qShowReserved: true, qShowConfig: true }),
    item: variable,
  },
]

/** Sheets and the like: each with everything below it. */
function appObjects(name: string, qType: string): DumpMember {
  return {
    name,
    list: listed('qAppObjectList', { qType, qData: { id: '/qInfo/qId' } }),
    async item(doc, item) {
      const object = await doc.child('GetObject', [idOf(item)])
      return object?.value('qPropEntry', 'GetFullPropertyTree')
    },
  }
}

function bookmarksOf(qType: string): (doc: EngineObject) => Promise<readonly Json[]> {
  return listed('qBookmarkList', { qType, qData: { id: '/qInfo/qId' } })
}

/** Reads a list through a session object: `qDimensionListDef` in its properties becomes `qDimensionList` in its layout. */
function listed(member: string, definition: Json): (doc: EngineObject) => Promise<readonly Json[]> {
  const kind = String(definition.qType ?? member.replace(/^q|List$/g, '').toLowerCase())
  const qType = `${kind}List`
  return async (doc) => {
    const wanted = { qInfo: { qId: qType, qType }, [`${member}Def`]: definition, qMetaDef: {}, qExtendsId: '' }
    const list = await doc.child('CreateSessionObject', [wanted])
    const { qItems } = json(json(await list?.value('qLayout', 'GetLayout'))[member])
    // An empty list in its place would make the dump look complete.
    if (!Array.isArray(qItems)) throw new EngineError('invalid', 'GetLayout', `the layout has no ${member}`)
    return qItems.map(json)
  }
}

/** Some engines refuse it for some apps. */
async function lineage(doc: EngineObject): Promise<unknown> {
  try {
    return await doc.value('qLineage', 'GetLineage')
  } catch (error) {
    if (isRejected(error)) return undefined
    throw error
  }
}

async function properties(object: EngineObject | null): Promise<unknown> {
  return object?.value('qProp', 'GetProperties')
}

/** Properties with the selections, which only the layout has. */
async function bookmark(doc: EngineObject, item: Json): Promise<unknown> {
  const object = await doc.child('GetBookmark', [idOf(item)])
  if (!object) return undefined
  const [own, layout] = await Promise.all([properties(object), object.value('qLayout', 'GetLayout')])
  const { qData } = json(own)
  return { ...json(own), qData: { ...json(qData), qBookMark: json(layout).qBookmark } }
}

const VARIABLE_FLAGS = ['qIsScriptCreated', 'qIsReserved', 'qIsConfig'] as const

/** Properties with what only the list says. */
async function variable(doc: EngineObject, item: Json): Promise<unknown> {
  const own = await properties(await doc.child('GetVariableById', [idOf(item)]))
  if (own === undefined) return undefined
  const flags = VARIABLE_FLAGS.filter((flag) => item[flag] === true).map((flag) => [flag, true] as const)
  return { ...json(own), ...Object.fromEntries(flags) }
}

async function connections(doc: EngineObject): Promise<readonly Json[]> {
  const list = await doc.value('qConnections', 'GetConnections')
  if (!Array.isArray(list)) throw new EngineError('invalid', 'GetConnections', 'a list was expected')
  return list.map(json)
}

/** Users who may list a connection may not always read it; the entry of the list is used then. */
async function dataConnection(doc: EngineObject, item: Json): Promise<unknown> {
  try {
    return await doc.value('qConnection', 'GetConnection', [item.qId])
  } catch (error) {
    if (isRejected(error, QIX.NOT_FOUND)) return undefined
    if (isRejected(error, QIX.ACCESS_DENIED)) return item
    throw error
  }
}

const idOf = (item: Json): unknown => json(item.qInfo).qId

const json = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})

// The answer: small dumps complete, large ones streamed while they are being read.

interface DumpAnswerSettings {
  /** Until so many characters are read, a failure of the engine still gets its own status. Default 262,144. */
  readonly headSize?: number
  /** An answer that is not fetched, as the one to a HEAD request, is given up after so long. Default 10,000. */
  readonly pickUpMs?: number
  /** A reader that takes nothing for so long is cut off, so that no session is left open. Default 120,000. */
  readonly stallMs?: number
}

/** Characters that go out at once. */
const PIECE_SIZE = 65_536
const HEAD_SIZE = 262_144
/**
 * Left to itself the runtime lets garbage grow with the memory of the machine; a dump makes so much of it so fast that
 * it is collected each time so many characters have gone out. Takes some 20 ms.
 */
const COLLECT_AFTER = 24_000_000
const PICK_UP_MS = 10_000
const STALL_MS = 120_000

/**
 * Answers 200. Rejects when the engine fails before the first byte; when it fails later the connection is cut, so that
 * no reader takes the part for the whole. Closes the dump in every case.
 */
export async function dumpAnswer(dump: Dump, log: Logger, settings: DumpAnswerSettings = {}): Promise<Response> {
  try {
    const head = await collect(dump.pieces, settings.headSize ?? HEAD_SIZE)
    if (!head.done) return jsonStream(bodyOf(dump, head.text, log, settings))
    await dump.close()
    return jsonText(200, head.text)
  } catch (error) {
    await dump.close()
    throw error
  }
}

/** Pieces until there are `size` characters or no more. */
async function collect(pieces: AsyncGenerator<string>, size: number): Promise<{ text: string; done: boolean }> {
  const parts: string[] = []
  for (let length = 0; length < size; ) {
    const { value, done } = await pieces.next()
    if (done) return { text: parts.join(''), done: true }
    parts.push(value)
    length += value.length
  }
  return { text: parts.join(''), done: false }
}

function jsonStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } })
}

function bodyOf(
  dump: Dump,
  head: string,
  log: Logger,
  { pickUpMs = PICK_UP_MS, stallMs = STALL_MS }: DumpAnswerSettings,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let first: string | null = head
  let stalled: ReturnType<typeof setTimeout> | undefined
  let left = false
  let uncollected = 0

  async function next(): Promise<{ text: string; done: boolean }> {
    if (first === null) return collect(dump.pieces, PIECE_SIZE)
    const text = first
    first = null
    return { text, done: false }
  }

  function collectGarbage(written: number): void {
    uncollected += written
    if (uncollected < COLLECT_AFTER) return
    uncollected = 0
    releaseMemory()
  }

  function watch(controller: ReadableStreamDefaultController<Uint8Array>, ms: number): void {
    stalled = setTimeout(() => {
      if (first === null) log.warn(`APPDUMP: The reader took nothing for ${ms} ms and was cut off`)
      controller.error(new Error('the reader of the dump has stalled'))
      void dump.close()
    }, ms)
  }

  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => watch(controller, pickUpMs),
      async pull(controller) {
        clearTimeout(stalled)
        try {
          const { text, done } = await next()
          if (left) return
          if (text !== '') controller.enqueue(encoder.encode(text))
          collectGarbage(text.length)
          if (!done) return watch(controller, stallMs)
          controller.close()
        } catch (error) {
          if (!left) log.error(`APPDUMP: Failed dumping app, the answer is cut off: ${errorText(error)}`)
          controller.error(error)
        }
        await dump.close()
      },
      async cancel() {
        left = true
        clearTimeout(stalled)
        await dump.close()
      },
    },
    { highWaterMark: 0 },
  )
}
