import { EngineError } from '../qlik/engine/errors.ts'
import type { EngineClient } from '../qlik/engine/types.ts'

export interface AppListItem {
  readonly id: string
  readonly name: string
}

/** The apps that the configured user may see, in the engine's order. Rejects with an `EngineError`. */
export function listApps(engine: EngineClient, signal?: AbortSignal): Promise<readonly AppListItem[]> {
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
