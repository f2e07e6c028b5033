/** The work of the thread: opens apps at the engine, renders documents, keeps their files. */
import { SILENT } from '../../platform/types.ts'
import { createEngineClient } from '../../qlik/engine/client.ts'
import { createBlobs } from '../blobs.ts'
import type { ConditionFacts } from '../conditions.ts'
import { openReportData } from '../data/index.ts'
import { createRenderer } from '../documents/render.ts'
import type { RunEvent } from '../types.ts'
import { type Prepared, prepareRun } from './prepare.ts'
import type { FactName, ReportJob } from './worker.ts'

export interface JobDeps {
  /** Asks the main thread. */
  readonly ask: (fact: FactName, args?: readonly unknown[]) => Promise<unknown>
  readonly note: (event: Omit<RunEvent, 'at' | 'level'>) => void
  readonly line: (text: string) => void
  readonly signal: AbortSignal
}

export function prepareJob(
  { engine, dataDirectory, request }: ReportJob,
  { ask, note, line, signal }: JobDeps,
): Promise<Prepared> {
  const client = createEngineClient({ log: SILENT }, engine)
  const blobs = createBlobs(dataDirectory)
  const { settings, runId, startedAt } = request
  let renderer: ReturnType<typeof createRenderer> | null = null
  let sessions = 0
  const facts = new Proxy({} as ConditionFacts, {
    get:
      (_, fact) =>
      (...args: unknown[]) =>
        ask(fact as FactName, args),
  })
  return prepareRun(
    {
      openApp: ({ appId, user, warn }) =>
        openReportData(client, {
          appId,
          identity: `${runId}-${++sessions}`,
          ...(user && { user }),
          limits: settings.limits,
          timezone: settings.timezone,
          now: new Date(startedAt),
          warn,
          signal,
        }),
      facts,
      async render(document) {
        renderer ??= createRenderer(settings)
        return renderer.render(document)
      },
      keep: blobs.putFile,
      keepBytes: async (bytes) => (await blobs.put(bytes)).sha256,
      async exclusive(work) {
        await ask('turn')
        try {
          return await work()
        } finally {
          await ask('turnOver')
        }
      },
      note,
      line,
      signal,
    },
    request,
  )
}
