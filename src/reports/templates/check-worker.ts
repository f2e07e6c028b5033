/**
 * Reads Office files in a thread of their own and within a time limit: a file comes from outside, and reading it must stop neither
 * alerts nor the API. One file is read at a time, as the threads share the memory of the process.
 */
import { createHash } from 'node:crypto'
import { type Refusal, refusal } from '../../http/errors.ts'
import { TextError } from '../../platform/encodings.ts'
import { errorText } from '../../platform/errors.ts'
import type { TableRow } from '../../platform/table.ts'
import { spawnWorker, type WorkerChannel } from '../../platform/worker.ts'
import { ReportError } from '../codes.ts'
import type { TemplateCheck } from './contract.ts'
import { type CheckJob, type FromTemplateThread, TEMPLATE_ROLE, type TemplateJob } from './role.ts'

// --- Main thread ---

const LIMIT_MS = 30_000
/** Files that may wait beside the one that is read: their bytes are in memory. */
const MOST_WAITING = 8

/** Both reject with a `ReportError` when the thread fails, and with 503 `TOO_MANY_FILES` when too many files wait. */
export interface OfficeFiles {
  /** Checks as `checkTemplate` of `index.ts` does. A file that takes longer than 30 seconds is refused as `TEMPLATE_TOO_LARGE`. */
  checkTemplate(
    bytes: Uint8Array,
    fileName: string,
    report: CheckJob['report'],
    limits: CheckJob['limits'],
  ): Promise<TemplateCheck>
  /** The first sheet of a workbook, as `readWorkbookTable` reads it. Rejects with a `TextError`. */
  readTable(bytes: Uint8Array, maxMb: number): Promise<readonly TableRow[]>
}

/** @param workerEntry see `spawnWorker` */
export function createOfficeFiles(workerEntry?: URL, limitMs: number = LIMIT_MS): OfficeFiles {
  let last: Promise<unknown> = Promise.resolve()
  let underWay = 0
  /** Null when the time is over. */
  async function inTurn(job: TemplateJob): Promise<FromTemplateThread | null> {
    if (underWay > MOST_WAITING) throw tooMany(limitMs)
    underWay += 1
    const answer = last.then(() => runInThread(job, limitMs, workerEntry))
    last = answer.catch(() => {})
    return answer.finally(() => {
      underWay -= 1
    })
  }
  const limit = `within ${limitMs / 1000} s; make it smaller`
  return {
    async checkTemplate(bytes, fileName, { data, levels }, limits) {
      const job = { type: 'check', bytes: new Uint8Array(bytes), fileName, report: { data, levels }, limits } as const
      const answer = await inTurn(job)
      if (answer === null) return tooSlow(bytes, `the file could not be checked ${limit}`)
      if (answer.type === 'checked') return answer.check
      throw failed(answer)
    },
    async readTable(bytes, maxMb) {
      const answer = await inTurn({ type: 'table', bytes: new Uint8Array(bytes), maxMb })
      if (answer === null) throw new TextError(`the workbook could not be read ${limit}`)
      if (answer.type === 'table') return answer.rows
      if (answer.type === 'refused') throw new TextError(answer.reason, answer.line, answer.column)
      throw failed(answer)
    },
  }
}

function tooMany(limitMs: number): Refusal {
  const details = `${MOST_WAITING} other Office files wait to be checked. Nothing was saved. Send it again.`
  return refusal('TOO_MANY_FILES', details, {}, { 'retry-after': String(Math.ceil(limitMs / 1000)) })
}

const failed = (answer: FromTemplateThread): ReportError =>
  new ReportError('INTERNAL', answer.type === 'failed' ? answer.details : `unexpected answer "${answer.type}"`)

function runInThread(
  job: TemplateJob,
  limitMs: number,
  workerEntry: URL | undefined,
): Promise<FromTemplateThread | null> {
  const { promise, resolve } = Promise.withResolvers<FromTemplateThread | null>()
  const limit = setTimeout(() => resolve(null), limitMs)
  const ended = 'the thread that reads the file has ended'
  const worker = spawnWorker<never, FromTemplateThread>(
    TEMPLATE_ROLE,
    job,
    {
      onMessage: resolve,
      onEnd: ({ error }) => resolve({ type: 'failed', details: error?.message ?? ended }),
    },
    workerEntry,
  )
  return promise.finally(() => {
    clearTimeout(limit)
    void worker.terminate()
  })
}

function tooSlow(bytes: Uint8Array, details: string): TemplateCheck {
  return {
    ok: false,
    format: 'unknown',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    tags: [],
    unused: [],
    dropped: [],
    problems: [{ code: 'TEMPLATE_TOO_LARGE', place: '', details }],
    warnings: [],
  }
}

// --- Worker thread ---

/** Reads the file of the job and ends the thread. */
export async function runTemplateWorker(
  channel: WorkerChannel<FromTemplateThread, never>,
  job: TemplateJob,
): Promise<void> {
  try {
    channel.post(await answerOf(job))
  } catch (error) {
    channel.post({ type: 'failed', details: errorText(error) })
  }
  channel.end()
}

async function answerOf(job: TemplateJob): Promise<FromTemplateThread> {
  if (job.type === 'check') {
    const { checkTemplate } = await import('./index.ts')
    const { bytes, fileName, report, limits } = job
    return { type: 'checked', check: await checkTemplate(bytes, fileName, report, limits) }
  }
  const { readWorkbookTable } = await import('./workbook/table.ts')
  try {
    return { type: 'table', rows: await readWorkbookTable(job.bytes, job.maxMb) }
  } catch (error) {
    if (!(error instanceof TextError)) throw error
    const { reason, line, column } = error
    return { type: 'refused', reason, line, column }
  }
}
