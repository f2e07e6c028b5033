/** File operations under way: at most so many at a time, with progress, and ended in order when the process was killed. */

import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createLimiter } from '../platform/limiter.ts'
import { createListeners } from '../platform/listeners.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database, Migration } from '../platform/sqlite.ts'
import { storedJson } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { FileJob } from './contract.ts'
import { temporaryName } from './directory.ts'
import type { FileOperations } from './operations.ts'
import { deniedText, doneText, failureText, prefixOf, refusalText } from './texts.ts'
import { FileRefusal, type FileRequest, type Outcome, type Tally, type Work } from './types.ts'

export interface FileJobDeps {
  readonly operations: FileOperations
  readonly store: JobStore
  readonly clock: Clock
  readonly log: Logger
  /** Called for every operation that has ended. */
  readonly onFinished?: (finished: FinishedOperation) => void
}

export interface FinishedOperation {
  readonly request: FileRequest
  readonly actor: string
  readonly result: 'ok' | 'refused' | 'failed' | 'cancelled'
  /** Bytes copied, moved or deleted. */
  readonly bytes: number
  /** The job, when no call waited for the end. */
  readonly job: FileJob | null
}

export interface FileJobs extends Service {
  /** Carries out the request, after those that came before; resolves when it is done. */
  run(request: FileRequest, actor: string): Promise<Outcome>
  /** Checks the request and carries it out later; resolves with the id of the job. Null = too many wait already. */
  enqueue(request: FileRequest, actor: string): Promise<string | null>
  get(id: string): FileJob | null
  /** Newest first. */
  list(): FileJob[]
  /** Resolves when the job has ended; false = it had ended by itself, null = there is none. */
  cancel(id: string): Promise<boolean | null>
  /** Calls the listener on every change of state, and every two seconds with the progress of running jobs. */
  onChange(listener: (job: FileJob) => void): () => void
}

interface Job {
  readonly id: string
  readonly request: FileRequest
  readonly actor: string
  readonly listed: boolean
  readonly startedAt: number
  readonly tally: Tally
  readonly aborter: AbortController
  state: FileJob['state']
  runningSince: number | null
  finishedAt: number | null
  error: string | null
  /** Is in the store. */
  stored: boolean
  ended: Promise<unknown>
}

const KEEP_MS = 3_600_000
const TICK_MS = 2000
const MOST_UNFINISHED = 1000

export function createFileJobs(deps: FileJobDeps, settings: { readonly maxConcurrent: number }): FileJobs {
  const { operations, store, clock, log } = deps
  const limiter = createLimiter(settings.maxConcurrent)
  const listed = createJobList(clock)
  const underWay = new Set<Job>()
  let stopping = false

  async function carryOut(job: Job): Promise<Outcome> {
    underWay.add(job)
    try {
      const leave = await limiter.enter(job.aborter.signal)
      try {
        return await work(job)
      } finally {
        leave()
      }
    } catch (error) {
      finish(job, error)
      throw job.aborter.signal.aborted ? new FileRefusal({ kind: 'cancelled' }) : error
    } finally {
      underWay.delete(job)
    }
  }

  async function work(job: Job): Promise<Outcome> {
    job.state = 'running'
    job.runningSince = clock.now()
    listed.notify(job)
    const outcome = await operations.run(job.request, workOf(job, store))
    log.info(doneText(job.request, outcome.changed))
    finish(job, null)
    return outcome
  }

  function finish(job: Job, error: unknown): void {
    const { request, actor, tally } = job
    const { result, state, text } = endOf(job, error)
    job.state = state
    job.finishedAt = clock.now()
    job.error = text
    if (error !== null) logFailure(log, job, error, result)
    // An operation that the end of the process cuts short stays in the store, so that the next start reports it.
    if (job.stored && !(stopping && result === 'cancelled')) {
      store.remove(job.id).catch((problem: unknown) => log.error(`FILES: ${problem}`))
    }
    listed.notify(job)
    const seen = job.listed ? jobOf(job, clock.now()) : null
    deps.onFinished?.({ request, actor, result, bytes: tally.bytesDone, job: seen })
  }

  /** Refusals that are known at once need no waiting. */
  async function checked(job: Job): Promise<void> {
    try {
      await operations.check(job.request)
    } catch (error) {
      finish({ ...job, listed: false }, error)
      throw error
    }
  }

  /** Ends what the last process left unfinished. */
  async function takeOver(): Promise<void> {
    for (const left of store.all()) {
      const { id, request, startedAt } = left
      if (left.listed) {
        const ended = { state: 'failed', finishedAt: clock.now(), error: 'INTERRUPTED' } as const
        listed.add({ ...newJob(left, startedAt), id, ...ended })
      }
      try {
        if (request.operation === 'copy' || request.operation === 'move') await operations.cleanUp(id, request)
      } catch (error) {
        log.warn(`${prefixOf(request.operation)}: Could not remove what is left of an interrupted operation: ${error}`)
      }
      await store.remove(id)
    }
  }

  const ticks = createRecurringJob({ everyMs: TICK_MS, unref: true }, () => {
    listed.forgetOld()
    for (const job of underWay) if (job.state === 'running') listed.notify(job)
  })

  return {
    name: 'file operations',

    async start() {
      ticks.start()
      // A slow disk must not hold up the start.
      void takeOver().catch((error: unknown) => log.error(`FILES: ${error}`))
    },

    async stop() {
      stopping = true
      await ticks.stop()
      const jobs = [...underWay]
      for (const { aborter } of jobs) aborter.abort()
      await Promise.allSettled(jobs.map(({ ended }) => ended))
    },

    async run(request, actor) {
      const job = newJob({ request, actor, listed: false }, clock.now())
      if (stopping) throw new FileRefusal({ kind: 'cancelled' })
      if ('directory' in request) {
        // Making a directory takes no time, and should not wait for hours of copying.
        return work(job).catch((error: unknown) => {
          finish(job, error)
          throw error
        })
      }
      if (limiter.isFull) await checked(job)
      const done = carryOut(job)
      job.ended = done.catch(() => undefined)
      return done
    },

    async enqueue(request, actor) {
      if (stopping) throw new FileRefusal({ kind: 'cancelled' })
      if (underWay.size >= MOST_UNFINISHED) return null
      const job = newJob({ request, actor, listed: true }, clock.now())
      await checked(job)
      await keep(job, store)
      listed.add(job)
      job.ended = carryOut(job).catch(() => undefined)
      return job.id
    },

    get(id) {
      listed.forgetOld()
      const job = listed.find(id)
      return job ? jobOf(job, clock.now()) : null
    },

    list() {
      listed.forgetOld()
      return listed.newestFirst().map((job) => jobOf(job, clock.now()))
    },

    async cancel(id) {
      const job = listed.find(id)
      if (!job) return null
      if (job.finishedAt !== null) return false
      job.aborter.abort()
      await job.ended
      return job.state === 'cancelled'
    },

    onChange: listed.onChange,
  }
}

/** The jobs that callers may ask for: those that have not ended, and those that ended within the last hour. */
function createJobList(clock: Clock) {
  const jobs = new Map<string, Job>()
  const listeners = createListeners<[job: FileJob]>()
  return {
    add: (job: Job): unknown => jobs.set(job.id, job),
    find: (id: string): Job | undefined => jobs.get(id),
    newestFirst: (): Job[] => [...jobs.values()].sort((a, b) => (a.id < b.id ? 1 : -1)),
    forgetOld(): void {
      const oldest = clock.now() - KEEP_MS
      for (const [id, { finishedAt }] of jobs) if (finishedAt !== null && finishedAt < oldest) jobs.delete(id)
    },
    onChange: listeners.add,
    /** Reports the state of a job to the listeners. A job that only one call waits for concerns none of them. */
    notify(job: Job): void {
      if (job.listed) listeners.call(jobOf(job, clock.now()))
    },
  }
}

function newJob({ request, actor, listed }: Pick<Job, 'request' | 'actor' | 'listed'>, startedAt: number): Job {
  return {
    id: uuidV7(startedAt),
    request,
    actor,
    listed,
    startedAt,
    aborter: new AbortController(),
    tally: { files: 0, filesDone: 0, bytes: 0, bytesDone: 0 },
    state: 'waiting',
    runningSince: null,
    finishedAt: null,
    error: null,
    stored: false,
    ended: Promise.resolve(),
  }
}

/** Puts the job into the store, once. */
async function keep(job: Job, store: JobStore): Promise<void> {
  if (job.stored) return
  job.stored = true
  await store.add(job)
}

/** An operation is in the store before it makes its first temporary file, so that the next start finds the file. */
function workOf(job: Job, store: JobStore): Work {
  let names = 0
  return {
    signal: job.aborter.signal,
    tally: job.tally,
    async temporaryName(kind = 'tmp') {
      await keep(job, store)
      return temporaryName(job.id, names++, kind)
    },
  }
}

/** How a job ends. `error`: null after success. */
function endOf(
  job: Job,
  error: unknown,
): Pick<FinishedOperation, 'result'> & Pick<Job, 'state'> & { text: string | null } {
  if (error === null) return { result: 'ok', state: 'succeeded', text: null }
  if (error instanceof FileRefusal) return { result: 'refused', state: 'failed', text: jobError(job.request, error) }
  if (job.aborter.signal.aborted) return { result: 'cancelled', state: 'cancelled', text: null }
  return { result: 'failed', state: 'failed', text: jobError(job.request, error) }
}

function logFailure(log: Logger, { request, error: text }: Job, error: unknown, result: string): void {
  if (error instanceof FileRefusal && error.reason.kind === 'denied') log.error(deniedText(request))
  else if (result === 'failed') log.error(`${prefixOf(request.operation)}: ${text}`)
  else log.verbose(`${prefixOf(request.operation)}: ${text ?? 'Cancelled'}`)
}

function jobError({ operation }: FileRequest, error: unknown): string {
  if (!(error instanceof FileRefusal)) {
    return `${failureText(operation)}: ${errorText(error)}`
  }
  const { message, details } = refusalText(operation, error.reason)
  return details ? `${message}: ${details}` : message
}

function jobOf(job: Job, now: number): FileJob {
  const { request, tally, runningSince, finishedAt } = job
  const seconds = runningSince === null ? 0 : ((finishedAt ?? now) - runningSince) / 1000
  return {
    jobId: job.id,
    // Callers always wait for a directory.
    operation: request.operation as FileJob['operation'],
    from: 'directory' in request ? request.directory : request.from,
    to: 'to' in request ? request.to : null,
    state: job.state,
    ...tally,
    bytesPerSecond: seconds > 0 ? Math.round(tally.bytesDone / seconds) : 0,
    startedAt: new Date(job.startedAt).toISOString(),
    finishedAt: finishedAt === null ? null : new Date(finishedAt).toISOString(),
    error: job.error,
  }
}

// Operations under way on disk: they are ended in order after a crash.

export const fileMigrations: Migration[] = [
  {
    name: 'files-001',
    sql: `
      CREATE TABLE file_job (
        id TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        actor TEXT NOT NULL,
        listed INTEGER NOT NULL,
        started_at INTEGER NOT NULL
      ) WITHOUT ROWID;`,
  },
]

/** A row of `file_job`. */
interface StoredJob {
  /** UUID of version 7. */
  readonly id: string
  readonly request: FileRequest
  readonly actor: string
  /** A caller has its id and may ask for it. */
  readonly listed: boolean
  /** Milliseconds since 1970. */
  readonly startedAt: number
}

interface JobStore {
  add(job: StoredJob): Promise<void>
  remove(id: string): Promise<void>
  /** Oldest first. */
  all(): StoredJob[]
}

interface Row {
  readonly id: string
  readonly request: string
  readonly actor: string
  readonly listed: number
  readonly startedAt: number
}

export function createJobStore({ db, writer }: { db: Database; writer: GroupWriter }): JobStore {
  return {
    async add({ id, request, actor, listed, startedAt }) {
      await writer.write((one) =>
        one.run(
          'INSERT INTO file_job VALUES (?, ?, ?, ?, ?)',
          id,
          JSON.stringify(request),
          actor,
          Number(listed),
          startedAt,
        ),
      )
    },
    async remove(id) {
      await writer.write((one) => one.run('DELETE FROM file_job WHERE id = ?', id))
    },
    all: () =>
      db
        .all<Row>('SELECT id, request, actor, listed, started_at AS startedAt FROM file_job ORDER BY id')
        .flatMap((row) => {
          const request = storedJson<FileRequest | null>(row.request, null)
          return request ? [{ ...row, request, listed: row.listed === 1 }] : []
        }),
  }
}
