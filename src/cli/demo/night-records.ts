/** Records of the night with which the demo starts: the executions, read from the site, and notes of the safety net. */
import { randomUUID } from 'node:crypto'
import { MIGRATIONS } from '../../app/migrations.ts'
import { openDatabase } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import { createQrsClient } from '../../qlik/qrs/client.ts'
import { createEndedReader } from '../../tasks/executions/history.ts'
import { recordExecution } from '../../tasks/executions/store.ts'
import { insertRetry, markStarted, noteDue, writeMark } from '../../tasks/safety-net/store.ts'
import type { Night } from './night.ts'

/**
 * Makes the database `file`, as if Footman had run during the night: the history of executions that QRS has, how far the
 * reconciler has looked, a start that was due, and the retry. There are no events and no alerts of that time.
 */
export async function recordNight(file: string, night: Night, log: Logger): Promise<void> {
  const { simulator, beganAt, missed, retry } = night
  const { client, ca } = simulator.certificates.pem
  const qrs = createQrsClient(
    { log },
    {
      ...{ host: '127.0.0.1', port: simulator.ports.qrs, useSSL: true, rejectUnauthorized: true },
      headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal; UserId=sa_repository' }],
      certificates: () => ({ cert: client.cert.pem, key: client.key.pem, ca: ca.pem }),
    },
  )
  const db = openDatabase(file, { migrations: MIGRATIONS })
  try {
    const now = Date.now()
    const ended = await createEndedReader({ qrs, log }).between(beganAt, now, () => false)
    db.transaction(() => {
      for (const { execution } of ended) recordExecution(db, execution)
      writeMark(db, 'reconciler.since', beganAt)
      writeMark(db, 'reconciler.looked', now)
      noteDue(db, missed.taskId, missed.dueAt)
      const { taskId, executionId, retryExecutionId, at } = retry
      const id = randomUUID()
      insertRetry(db, { id, taskId, executionId, eventId: '', attempt: 1, max: 3, dueAt: at, state: 'starting' })
      markStarted(db, id, retryExecutionId, at)
    })
  } finally {
    db.close()
    await qrs.close()
  }
}
