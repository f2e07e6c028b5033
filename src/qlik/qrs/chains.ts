/** How tasks follow one another: the composite events of the site. */
import type { QrsTransport } from './transport.ts'
import type { ChainLink, ChainReader, QrsNamed } from './types.ts'

/** `ruleState` of a rule that waits for the success of its task. */
const TASK_SUCCESSFUL = 1
const TASKS = ['reloadTask', 'externalProgramTask', 'userSyncTask'] as const

export function createChainReader(deps: { readonly transport: QrsTransport }): ChainReader {
  return {
    async chainLinks(signal) {
      const request = { path: 'compositeevent/full', signal }
      const { value } = await deps.transport.json(request)
      if (!Array.isArray(value)) throw deps.transport.unusable(request, 'a list was expected')
      return value.flatMap(linksOf)
    },
  }
}

/** One link per rule; events that are switched off, and members that a site does not send, make none. */
function linksOf(event: unknown): ChainLink[] {
  if (!isRecord(event) || event.enabled === false) return []
  const task = taskOf(event)
  if (!task || !Array.isArray(event.compositeRules)) return []
  return event.compositeRules.flatMap((rule: unknown) => {
    const after = isRecord(rule) && rule.ruleState === TASK_SUCCESSFUL ? taskOf(rule) : null
    return after ? [{ after, task }] : []
  })
}

function taskOf(holder: Record<string, unknown>): QrsNamed | null {
  for (const key of TASKS) {
    const task = holder[key]
    if (isRecord(task) && typeof task.id === 'string') {
      return { id: task.id.toLowerCase(), name: typeof task.name === 'string' ? task.name : '' }
    }
  }
  return null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
