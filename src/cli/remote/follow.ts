/** Following one execution over the REST API until it is final or time is over. */
import type { Remote } from './client.ts'

/** The members of `GET /v4/execution/{executionId}` that the commands use. */
export interface ExecutionView {
  readonly executionId: string
  readonly taskId: string | null
  readonly taskName: string | null
  readonly taskType: string | null
  readonly appName: string | null
  readonly kind: string
  readonly state: 'queued' | 'running' | 'finished'
  readonly outcome: 'success' | 'failed' | 'aborted' | 'skipped' | 'unknown' | null
  readonly statusText: string
  readonly queueMs: number | null
  readonly runMs: number | null
  readonly attempts: number
  readonly error: string | null
}

/** One answer waits no longer than this, as proxies on the way may give up. */
const LONGEST_WAIT_S = 25

const MISSING = ['EXECUTION_NOT_FOUND']

/** Null for an unknown id. Asks at least once; `deadline` in milliseconds since 1970. */
export async function follow(
  remote: Remote,
  id: string,
  deadline: number,
): Promise<{ readonly view: ExecutionView; readonly text: string } | null> {
  for (;;) {
    const left = Math.max(0, deadline - Date.now())
    const wait = Math.min(LONGEST_WAIT_S, Math.ceil(left / 1000))
    const call = { path: `/v4/execution/${id}`, query: { wait }, waitMs: wait * 1000, what: `execution ${id}` }
    const { status, text } = await remote.insist(call, MISSING)
    if (status === 404) return null
    const view = JSON.parse(text) as ExecutionView
    if (view.state === 'finished' || Date.now() >= deadline) return { view, text }
  }
}

/** Qlik Sense stores the log of a reload a moment after its end. */
const LOG_COMES_WITHIN_MS = 10_000
const LOG_PAUSE_MS = 500

/** Null when there is none. */
export async function scriptLog(
  remote: Remote,
  { executionId, taskType, state }: ExecutionView,
): Promise<string | null> {
  const call = { path: `/v4/execution/${executionId}/log`, what: `script log of ${executionId}` }
  const patience = taskType === 'reload' && state === 'finished' ? LOG_COMES_WITHIN_MS : 0
  const end = Date.now() + patience
  for (;;) {
    const { status, text } = await remote.insist(call, [...MISSING, 'LOG_NOT_AVAILABLE'])
    if (status !== 404) return text
    if (Date.now() >= end) return null
    await new Promise((resolve) => setTimeout(resolve, LOG_PAUSE_MS))
  }
}
