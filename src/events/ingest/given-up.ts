/** The lines of the log about messages that are lost, as Footman ends before they could be stored. */
import { taskMessageOf } from '../intake.ts'
import type { Datagram } from './journal.ts'

interface GivenUp {
  /** How many messages waited when the worker said so last. */
  readonly inMemory: number
  readonly journalFile: string
}

/** The number of lost messages, then each of them; [] when there are none. `left` = null: the worker did not say which. */
export function givenUpLines(left: readonly Datagram[] | null, { inMemory, journalFile }: GivenUp): string[] {
  const count = left?.length ?? inMemory
  if (count === 0) return []
  const which = left ? 'They are' : 'Which they are cannot be found out, as the disk does not answer'
  return [
    `${count} messages of Qlik Sense that waited in memory are lost, as Footman ends and ${journalFile} cannot be written. After its next start the reconciler looks for the failed executions among them in Qlik Sense. ${which}`,
    ...(left ?? []).map((datagram, index) => `Lost message ${index + 1} of ${count}: ${nameOf(datagram)}`),
  ]
}

function nameOf({ raw, sender, receivedAt }: Datagram): string {
  const task = taskMessageOf(raw)
  const from = `from ${sender} at ${new Date(receivedAt).toISOString()}`
  if (!task) return `no message about a task or an app, ${from}`
  const { type, outcome, message } = task
  const { taskName, taskId, appName, appId, executionId } = message
  const subject = type === 'appReload' ? `app reload, app "${appName}" (${appId})` : `task "${taskName}" (${taskId})`
  return `${outcome}, ${subject}, execution ${executionId || 'without an id'}, ${from}`
}
