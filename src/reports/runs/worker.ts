/**
 * The worker thread of a run: reads the app and makes documents, so that a long PDF stops neither alerts nor the API. The
 * thread lives as long as its job.
 */
import { errorText } from '../../platform/errors.ts'
import { errorWithoutPath } from '../../platform/file-errors.ts'
import type { Logger } from '../../platform/types.ts'
import { spawnWorker, type WorkerChannel } from '../../platform/worker.ts'
import type { EngineSettings } from '../../qlik/engine/client.ts'
import { ReportError } from '../codes.ts'
import type { ConditionFacts } from '../conditions.ts'
import type { NewEvent } from '../types.ts'
import type { Prepared } from './prepare.ts'
import type { PrepareRequest } from './request.ts'
import { type FactName, type FromReport, REPORT_ROLE, type ReportJob, type ToReport } from './role.ts'

// --- Main thread ---

interface PreparerDeps extends Pick<WorkerDeps, 'log' | 'workerEntry'> {
  /** Address and user of the engine; asked for each run, so that renewed certificates are used. */
  readonly engine: () => EngineSettings
  readonly factsOf: (taskId: string) => ConditionFacts
  /** The folder of the documents. */
  readonly dataDirectory: string
}

type Observe = Pick<WorkerDeps, 'note' | 'line'>

/** Prepares runs in threads of their own. */
export function createPreparer({ engine, factsOf, dataDirectory, log, workerEntry }: PreparerDeps) {
  const turns = createRenderTurns()
  let sessions = 0
  const onSessions = (change: number) => {
    sessions += change
  }
  return {
    /** Rejects with a `ReportError`; with the reason of the signal when it aborts. */
    prepare(request: PrepareRequest, { note, line }: Observe, signal: AbortSignal): Promise<Prepared> {
      const facts = factsOf(request.definition.task.id)
      const deps = { facts, turns, onSessions, note, line, log, workerEntry }
      return prepareInWorker(deps, { engine: engine(), dataDirectory, request }, signal)
    },
    /** Sessions that runs have open at the engine. */
    sessions: () => sessions,
  }
}

interface WorkerDeps {
  readonly facts: ConditionFacts
  readonly turns: RenderTurns
  /** The number of open sessions at the engine has changed by so many. */
  readonly onSessions: (change: number) => void
  readonly note: (event: NewEvent) => void
  readonly line: (text: string) => void
  readonly log: Logger
  readonly workerEntry?: URL | undefined
}

/** One document is rendered at a time over all runs: the threads share the memory of the process. */
interface RenderTurns {
  /** Resolves when it is the caller's turn, with the function that ends it. */
  take(): Promise<() => void>
}

function createRenderTurns(): RenderTurns {
  let last: Promise<void> = Promise.resolve()
  return {
    async take() {
      const before = last
      let over = () => {}
      last = new Promise((resolve) => {
        over = resolve
      })
      await before
      return over
    },
  }
}

/** A thread that a signal asked to end gets so long to close its sessions. */
const CANCEL_GRACE_MS = 5000

/** Runs the job in a thread. Rejects with a `ReportError`; with the reason of the signal when it aborts. */
function prepareInWorker(deps: WorkerDeps, job: ReportJob, signal: AbortSignal): Promise<Prepared> {
  const { facts, turns } = deps
  return new Promise((resolve, reject) => {
    let turnOver: (() => void) | null = null
    let grace: ReturnType<typeof setTimeout> | undefined
    let settled = false
    let sessions = 0

    function settle(act: () => void): void {
      if (settled) return
      settled = true
      clearTimeout(grace)
      signal.removeEventListener('abort', cancel)
      turnOver?.()
      setSessions(0)
      act()
      void worker.terminate()
    }

    /** A thread that has ended has no sessions any more. */
    function setSessions(now: number): void {
      deps.onSessions(now - sessions)
      sessions = now
    }

    async function answer(fact: FactName, args: readonly unknown[]): Promise<unknown> {
      if (fact === 'turn') {
        const over = await turns.take()
        // The thread may have ended while it waited.
        if (settled) over()
        else turnOver = over
        return null
      }
      if (fact === 'turnOver') {
        turnOver?.()
        turnOver = null
        return null
      }
      return (facts[fact] as (...all: unknown[]) => unknown)(...args)
    }

    const worker = spawnWorker<ToReport, FromReport>(
      REPORT_ROLE,
      job,
      {
        onMessage(message) {
          if (message.type === 'note') deps.note(message.event)
          else if (message.type === 'line') deps.line(message.text)
          else if (message.type === 'sessions') settled || setSessions(message.open)
          else if (message.type === 'done') settle(() => resolve(message.prepared))
          else if (message.type === 'failed') {
            const { code, details, report } = message
            settle(() => reject(signal.aborted ? signal.reason : new ReportError(code, details, { report })))
          } else {
            const { id } = message
            answer(message.fact, message.args).then(
              (value) => worker.post({ type: 'answer', id, value }),
              (error: unknown) => worker.post({ type: 'refusal', id, message: errorText(error) }),
            )
          }
        },
        onEnd: ({ error }) =>
          settle(() =>
            reject(
              signal.aborted ? signal.reason : new ReportError('INTERNAL', error?.message ?? 'the thread has ended'),
            ),
          ),
      },
      deps.workerEntry,
    )

    function cancel(): void {
      worker.post({ type: 'cancel' })
      grace = setTimeout(() => settle(() => reject(signal.reason)), CANCEL_GRACE_MS)
    }
    if (signal.aborted) cancel()
    else signal.addEventListener('abort', cancel)
  })
}

// --- Worker thread ---

/** Runs the job of the thread and ends it. */
export async function runReportWorker(channel: WorkerChannel<FromReport, ToReport>, job: ReportJob): Promise<void> {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  const stopping = new AbortController()
  let asked = 0
  channel.onMessage((message) => {
    if (message.type === 'cancel') return stopping.abort()
    const one = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.type === 'answer') one?.resolve(message.value)
    else one?.reject(new Error(message.message))
  })
  const ask = (fact: FactName, args: readonly unknown[] = []): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++asked
      waiting.set(id, { resolve, reject })
      channel.post({ type: 'ask', id, fact, args })
    })

  try {
    const { prepareJob } = await import('./job.ts')
    const prepared = await prepareJob(job, {
      ask,
      note: (event) => channel.post({ type: 'note', event }),
      line: (text) => channel.post({ type: 'line', text }),
      sessions: (open) => channel.post({ type: 'sessions', open }),
      signal: stopping.signal,
    })
    channel.post({ type: 'done', prepared })
  } catch (error) {
    const { code, details, report } =
      error instanceof ReportError ? error : new ReportError('INTERNAL', errorWithoutPath(error))
    channel.post({ type: 'failed', code, details, report })
  }
  channel.end()
}
