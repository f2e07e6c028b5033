/** A dry run of a start request: which tasks would be started, and which not. Nothing is started or stored. */
import type { ChainLink, ChainReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { meaningOf } from '../executions/status.ts'
import { deniedList } from './answers.ts'
import type { PreviewedStart } from './contract.ts'
import { type StartFilterSettings, selectTasks, startFilterFor } from './select.ts'
import type { StartRequest } from './types.ts'

export type StartPreview = (request: StartRequest) => Promise<PreviewedStart>

/** Rejects with a `LookupError` when QRS cannot be asked. */
export function createStartPreview(
  { qrs }: { readonly qrs: QrsClient & ChainReader },
  settings: StartFilterSettings,
): StartPreview {
  return async (request) => {
    const filter = startFilterFor(request.origin, settings, request.limitedTo)
    const { matches, notFound, denied } = await selectTasks(qrs, filter, request)
    const holdIds = request.allTaskIdsMustExist && notFound.length > 0
    const wanted = matches.filter(({ by }) => !(holdIds && by === 'id'))
    const found = [...new Map(wanted.map((match) => [match.task.id, match.task])).values()]
    const enabled = found.filter((one) => one.enabled)
    const starting = enabled.filter((one) => !isBusy(one))
    const links = starting.length === 0 ? [] : await qrs.chainLinks().catch(() => [])
    return {
      tasksStarted: starting.map((one) => ({ ...refOf(one), status: 'would start' })),
      tasksDenied: deniedList(denied),
      tasksDisabled: found.filter((one) => !one.enabled).map(refOf),
      tasksRunning: enabled.filter(isBusy).map(refOf),
      tasksNotFound: [...notFound],
      follows: countFollowers(links, starting),
    }
  }
}

const refOf = ({ id, name }: QrsTask) => ({ taskId: id, taskName: name })

function isBusy({ operational }: QrsTask): boolean {
  const status = operational?.lastExecutionResult?.status ?? 0
  return status !== 0 && meaningOf(status).state !== 'finished'
}

function countFollowers(links: readonly ChainLink[], starting: readonly QrsTask[]): number {
  const roots = new Set(starting.map(({ id }) => id.toLowerCase()))
  const after = Map.groupBy(links, (link) => link.after.id)
  const found = new Set<string>()
  const queue = [...roots]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const { task: follower } of after.get(next) ?? []) {
      if (roots.has(follower.id) || found.has(follower.id)) continue
      found.add(follower.id)
      queue.push(follower.id)
    }
  }
  return found.size
}
