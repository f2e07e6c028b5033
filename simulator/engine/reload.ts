import { createLocalTime } from '../local-time.ts'
import type { SimApp, SimClock, SimTimer, SimulatedSite } from '../types.ts'
import { reloaded } from './app-store.ts'
import type { TableContent } from './content/app-content.ts'
import type { OpenDoc } from './doc.ts'
import { engineError } from './errors.ts'
import type { Json } from './json.ts'

export interface ReloadRequest {
  /** 0 default, 1 stop at the first error, 2 ignore errors. */
  readonly mode: number
  readonly partial: boolean
  readonly useErrorData: boolean
}

export interface ReloadOutcome {
  readonly success: boolean
  /** Path of the script log on the server. */
  readonly logFile: string
}

export interface RunningReload {
  readonly app: SimApp
  readonly finished: Promise<ReloadOutcome>
  /** `qProgressData`; persistent texts are handed out once. */
  progress(): Json
  /** Ends it without success; the app keeps its data. */
  cancel(): void
}

/** Reloads of the whole engine: an app can be reloaded once at a time. */
export interface ReloadRegistry {
  /** Throws error 11000 while the app is being reloaded. */
  start(doc: OpenDoc, request: ReloadRequest, halfway: () => void): RunningReload
  isRunning(app: SimApp): boolean
  stop(): void
}

const FAILS_AT = 0.6

export function createReloadRegistry(deps: { readonly clock: SimClock; readonly site: SimulatedSite }): ReloadRegistry {
  const { clock, site } = deps
  const running = new Map<SimApp, RunningReload>()

  return {
    start(doc, request, halfway) {
      if (running.has(doc.app)) throw engineError('RELOAD_IN_PROGRESS', doc.app.id)
      const reload = runReload({ clock, site }, doc, request, halfway, () => running.delete(doc.app))
      running.set(doc.app, reload)
      return reload
    },
    isRunning: (app) => running.has(app),
    stop() {
      for (const reload of running.values()) reload.cancel()
    },
  }
}

function runReload(
  { clock, site }: { clock: SimClock; site: SimulatedSite },
  doc: OpenDoc,
  request: ReloadRequest,
  halfway: () => void,
  onEnd: () => void,
): RunningReload {
  const { app } = doc
  const started = clock.now()
  const error = request.mode === 2 ? null : app.scriptError
  const duration = app.reloadDurationMs * (error ? FAILS_AT : 1)
  const tables = doc.content.tables.filter((table) => !request.partial || table.prefix !== 'none')
  const after = reloaded(doc.content.tables, doc.versions, request.partial)
  const logFile = `C:\\ProgramData\\Qlik\\Sense\\Log\\Script\\${app.id}.${createLocalTime(site.timeZone).scriptLogDate(started)}.log`
  const timers: SimTimer[] = []
  const { promise: finished, resolve } = Promise.withResolvers<ReloadOutcome>()
  let done: 'success' | 'failed' | null = null
  let reportedTables = 0
  let reportedError = false

  function end(success: boolean) {
    if (done) return
    done = success ? 'success' : 'failed'
    for (const timer of timers) clock.cancel(timer)
    if (success) doc.setVersions(after, clock.now())
    onEnd()
    resolve({ success, logFile })
  }

  timers.push(clock.schedule(duration / 2, halfway))
  timers.push(clock.schedule(duration, () => end(error === null)))

  const share = () => (duration === 0 || done ? 1 : Math.min(1, (clock.now() - started) / app.reloadDurationMs))

  return {
    app,
    finished,
    cancel: () => end(false),
    progress() {
      const position = (done === 'success' ? 1 : share()) * tables.length
      const loaded = tables.slice(0, Math.floor(position)).map((table) => tableProgress(table, after, 1))
      const fresh = loaded.slice(reportedTables)
      reportedTables = Math.max(reportedTables, loaded.length)
      const current = done ? undefined : tables[Math.floor(position)]
      const transient = current ? tableProgress(current, after, position % 1) : null
      const failed = done === 'failed' && error !== null && !reportedError
      reportedError ||= failed
      return {
        qStarted: true,
        qFinished: done !== null,
        qCompleted: 0,
        qTotal: 0,
        qKB: 0,
        qMillisecs: Math.round(clock.now() - started),
        qUserInteractionWanted: false,
        qPersistentProgress:
          fresh.map(({ name, rows }) => `${name}\n${rows} lines fetched\n`).join('') + (failed ? `${error}\n` : ''),
        qTransientProgress: transient ? `${transient.name} ${transient.rows} lines so far` : '',
        qErrorData: failed && request.useErrorData ? [errorData(error, tables[Math.floor(position)] ?? tables[0])] : [],
        qPersistentProgressMessages: fresh.map(({ name, rows }) => ({
          qMessageCode: 21,
          qMessageParameters: [name, rows],
        })),
        qTransientProgressMessage: transient
          ? { qMessageCode: 8, qMessageParameters: [transient.rows] }
          : { qMessageCode: 0, qMessageParameters: [] },
      }
    },
  }
}

/** Name and number of lines read of a table when `part` (0 to 1) of it is loaded. */
function tableProgress(table: TableContent, versions: ReadonlyMap<string, number>, part: number) {
  const { rowCount } = table.build(versions.get(table.name) ?? 1)
  return { name: table.name, rows: Math.floor(rowCount * part).toLocaleString('en-US') }
}

function errorData(error: string, table: TableContent | undefined): Json {
  const source = table?.source ?? ''
  return {
    qErrorString: error.replace(/ \(Native Path: .*\)$/, ''),
    qLineEnd: '\r\n',
    qLine: `LOAD * FROM [${source}] (qvd)`,
    qErrorDataCode: 'EDC_ERROR',
    qMessage: { qMessageCode: 10, qMessageParameters: [error] },
  }
}

/** The answer of `GetProgress` when nothing was reloaded in the session. */
export const NO_PROGRESS: Json = {
  qStarted: false,
  qFinished: false,
  qCompleted: 0,
  qTotal: 0,
  qKB: 0,
  qMillisecs: 0,
  qUserInteractionWanted: false,
  qPersistentProgress: '',
  qTransientProgress: '',
  qErrorData: [],
  qPersistentProgressMessages: [],
  qTransientProgressMessage: { qMessageCode: 0, qMessageParameters: [] },
}
