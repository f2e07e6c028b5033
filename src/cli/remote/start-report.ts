/** What a start request came to, as the command tells it and as its exit code says it. */
import { EXIT } from '../io.ts'
import type { ExecutionView } from './follow.ts'

type Summary = Pick<ExecutionView, 'state' | 'outcome' | 'statusText' | 'queueMs' | 'runMs'>

export interface StartedTask {
  readonly taskId: string
  readonly taskName: string
  readonly status: 'started'
  readonly executionId: string | null
  readonly execution: Summary | null
}

export interface WaitingTask {
  readonly taskId: string
  readonly taskName: string
  readonly status: 'queued'
  readonly queueId: string
}

export interface FailedTask {
  readonly taskId: string
  readonly taskName: string
  readonly status: 'failed'
  readonly error: string
}

export interface DeniedSelector {
  readonly taskId?: string
  readonly tag?: string
  readonly customProperty?: { readonly name: string; readonly value: string }
}

/** The answer of the start endpoint with `wait`. */
export interface StartAnswer {
  readonly tasksStarted: readonly StartedTask[]
  readonly tasksNotFound: readonly string[]
  readonly totalTasksStarted: number
  readonly tasksDenied?: readonly DeniedSelector[]
  readonly tasksFailed?: readonly FailedTask[]
  readonly tasksQueued?: readonly WaitingTask[]
}

/** The highest that applies wins; what still runs counts only for those who wanted to wait. */
export function startExitCode(answer: StartAnswer, unknownNames: readonly string[], waited: boolean): number {
  const { tasksStarted, tasksNotFound, tasksDenied = [], tasksFailed = [], tasksQueued = [] } = answer
  const ended = tasksStarted.filter(({ execution }) => execution?.state === 'finished')
  if (waited && (tasksQueued.length > 0 || ended.length < tasksStarted.length)) return EXIT.timeOver
  if (waited && ended.some(({ execution }) => execution?.outcome !== 'success')) return EXIT.failed
  const nothing = tasksStarted.length + tasksQueued.length === 0
  const refused = tasksNotFound.length + tasksDenied.length + tasksFailed.length + unknownNames.length
  return nothing || refused > 0 ? EXIT.missing : EXIT.ok
}

/** One line for each that was not started. */
export function refusals(answer: StartAnswer, unknownNames: readonly string[]): string[] {
  const { tasksStarted, tasksNotFound, tasksDenied = [], tasksFailed = [], tasksQueued = [] } = answer
  const lines = [
    ...tasksNotFound.map((id) => `task ${id}: Qlik Sense has no task with this id`),
    ...unknownNames.map((name) => `task "${name}": there is no task with this name, or it may not be started`),
    ...tasksDenied.map((denied) => `${selectorText(denied)}: may not be started (Butler.startTaskFilter, or the key)`),
    ...tasksFailed.map(({ taskName, error }) => `task "${taskName}": was not started: ${error}`),
  ]
  const nothing = lines.length + tasksStarted.length + tasksQueued.length === 0
  return nothing ? ['no task was selected; check tags, properties and names'] : lines
}

function selectorText({ taskId, tag, customProperty }: DeniedSelector): string {
  if (taskId !== undefined) return `task ${taskId}`
  if (tag !== undefined) return `tag "${tag}"`
  return `custom property ${customProperty?.name}=${customProperty?.value}`
}
