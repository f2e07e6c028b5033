/**
 * Threads that run this program's own entry file: one executable, one bundle, `isMainThread` distinguishes the roles.
 * The entry must call `workerRole()` first and run the role instead of the program when there is one.
 */
import { pathToFileURL } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

export interface WorkerEnd {
  /** False when neither side asked for it. */
  readonly expected: boolean
  readonly code: number
  /** The error that the thread threw. */
  readonly error?: Error
}

export interface WorkerHandlers<FromWorker> {
  readonly onMessage: (message: FromWorker) => void
  /** Called once. */
  readonly onEnd: (end: WorkerEnd) => void
}

export interface WorkerHandle<ToWorker> {
  post(message: ToWorker): void
  /** Ends the thread at once; work under way in it is lost. */
  terminate(): Promise<void>
}

export interface WorkerChannel<FromWorker, ToWorker> {
  post(message: FromWorker): void
  onMessage(listener: (message: ToWorker) => void): void
  /** Ends the thread when everything posted so far has arrived; nothing should run in it afterwards. */
  end(): void
}

export interface WorkerRole {
  readonly name: string
  /** A copy of the `data` of `spawnWorker`. */
  readonly data: unknown
  channel<FromWorker, ToWorker>(): WorkerChannel<FromWorker, ToWorker>
}

interface Start {
  readonly footmanRole: string
  readonly data: unknown
}

/** The last message of a thread that wants to end; the other side ends it, as not every runtime lets it end itself. */
const GOODBYE = 'footman:worker-ends'

/** The file that the runtime was given; in the executable it is embedded and has a path of its own there. */
function programEntry(): URL {
  return pathToFileURL(process.argv[1] ?? '')
}

/** `data` must be structured-cloneable. `entry` is for tests: any file that treats `workerRole()` like the program. */
export function spawnWorker<ToWorker, FromWorker>(
  name: string,
  data: unknown,
  handlers: WorkerHandlers<FromWorker>,
  entry: URL = programEntry(),
): WorkerHandle<ToWorker> {
  const start: Start = { footmanRole: name, data }
  const worker = new Worker(entry, { workerData: start, name })
  let asked = false
  let ended = false
  let failure: Error | undefined

  worker.on('message', (message: unknown) => {
    if (ended) return
    if (message !== GOODBYE) return handlers.onMessage(message as FromWorker)
    // Messages arrive in order, so all messages of the thread are here.
    asked = true
    void worker.terminate()
  })
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error))
  })
  worker.on('exit', (code) => {
    if (ended) return
    ended = true
    handlers.onEnd({ expected: asked && !failure, code, ...(failure ? { error: failure } : {}) })
  })

  return {
    post(message) {
      if (!ended) worker.postMessage(message)
    },
    async terminate() {
      asked = true
      await worker.terminate()
    },
  }
}

/** The role this thread was started for; null on the main thread. */
export function workerRole(): WorkerRole | null {
  const start = workerData as Start | null | undefined
  const port = parentPort
  if (isMainThread || !port || typeof start?.footmanRole !== 'string') return null
  return {
    name: start.footmanRole,
    data: start.data,
    channel: () => ({
      post: (message) => port.postMessage(message),
      onMessage: (listener) => void port.on('message', listener),
      end: () => port.postMessage(GOODBYE),
    }),
  }
}
