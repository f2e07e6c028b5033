/** Everything that describes an app, written as one JSON object while it is being read. */
import { randomUUID } from 'node:crypto'
import type { Logger } from '../platform/types.ts'
import { openDoc } from '../qlik/engine/doc.ts'
import type { EngineClient, EngineObject } from '../qlik/engine/types.ts'
import { DUMP_MEMBERS, type Json } from './dump-members.ts'

/** Calls to the engine at the same time, and so the items that are held in memory. */
const PARALLEL = 8

export interface Dump {
  /** The JSON text in pieces; rejects with an `EngineError` when the engine fails midway. */
  readonly pieces: AsyncGenerator<string>
  /** Ends the session with the engine; needed whatever becomes of `pieces`. */
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
    // When an earlier one fails, nobody looks at this one any more.
    result.catch(() => {})
    underWay.push(result)
  }
  for (const result of underWay) yield await result
}
