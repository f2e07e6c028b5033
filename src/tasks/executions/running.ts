/** Which of the tasks that Footman has started still run. */
import type { Clock, Logger } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { Follower } from './follower.ts'
import type { Look, Lookout } from './look.ts'
import { timeOf } from './progress.ts'
import { meaningOf } from './status.ts'
import type { RunningStarts, StartRecord, StartRecords } from './types.ts'

export interface RunningDeps {
  readonly records: StartRecords
  readonly lookout: Lookout
  readonly follower: Follower
  readonly qrs: Pick<QrsClient, 'taskById'>
  readonly clock: Clock
  readonly log: Logger
}

/** What QRS still doesn't know, or shows no new result of, after this time has ended unseen. */
const UNSEEN_MS = 60_000

export function createRunningStarts(deps: RunningDeps): RunningStarts {
  const { records, lookout, follower, clock, log } = deps
  const listeners: (() => void)[] = []
  const askedAt = new Map<string, number>()
  const byExecution = new Map<string, StartRecord>()

  follower.onLook((executionId, look) => {
    const record = byExecution.get(executionId)
    if (record) judge(record, look)
  })

  function judge(record: StartRecord, { progress }: Look): void {
    const gone = progress === null && clock.now() - record.startedAt > UNSEEN_MS
    if (gone || progress?.state === 'finished') close(record)
  }

  function close(record: StartRecord): void {
    askedAt.delete(record.id)
    if (record.executionId !== null) {
      byExecution.delete(record.executionId.toLowerCase())
      follower.unwatch(record.executionId)
    }
    records.close(record.id, clock.now()).catch((error: unknown) => {
      log.error(`EXECUTIONS: The end of task ${record.taskId} could not be noted: ${reasonOf(error)}`)
    })
    for (const listener of listeners) listener()
  }

  function openRecord(executionId: string): StartRecord[] {
    const record = executionId === '' ? undefined : records.byExecution(executionId)
    return record?.finalAt === null ? [record] : []
  }

  /** Old servers tell no execution id: the task's last result has to do. */
  async function refreshByTask(record: StartRecord): Promise<void> {
    const task = await deps.qrs.taskById(record.taskId)
    const last = task?.operational?.lastExecutionResult
    const over = !last || meaningOf(last.status).state === 'finished'
    const isOurs = (timeOf(last?.stopTime) ?? 0) > record.startedAt
    if (over && (isOurs || clock.now() - record.startedAt > UNSEEN_MS)) close(record)
  }

  return {
    open: records.open,
    async refresh(maxAgeMs) {
      const now = clock.now()
      const stale = records.open().filter(({ id }) => now - (askedAt.get(id) ?? 0) > maxAgeMs)
      const known = stale.filter(({ executionId }) => executionId !== null)
      if (known.length > 0) {
        const looks = await lookout.look(known.map(({ executionId }) => executionId ?? ''))
        for (const record of known) {
          askedAt.set(record.id, now)
          const look = looks.get(record.executionId?.toLowerCase() ?? '')
          if (look) judge(record, look)
        }
      }
      for (const record of stale) if (record.executionId === null) await refreshByTask(record)
    },
    follow(executionId) {
      const wanted = executionId === undefined ? records.open() : openRecord(executionId)
      for (const record of wanted) {
        if (record.executionId === null) continue
        byExecution.set(record.executionId.toLowerCase(), record)
        follower.watch(record.executionId)
      }
    },
    onClosed: (listener) => void listeners.push(listener),
  }
}
