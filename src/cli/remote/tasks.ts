/** `footman tasks`: lists tasks and their last runs. */
import type { CommandIo } from '../io.ts'
import { EXIT } from '../io.ts'
import type { Remote } from './client.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { span, table } from './table.ts'

export interface TasksOptions extends RemoteOptions {
  readonly tag: readonly string[]
  readonly outcome: readonly string[]
}

interface TaskView {
  readonly taskId: string
  readonly taskName: string
  readonly taskType: string
  readonly enabled: boolean
  readonly last: {
    readonly state: string
    readonly outcome: string | null
    readonly stoppedAt: string | null
    readonly runMs: number | null
  } | null
}

/** All pages. */
export function runTasks(glob: string | undefined, options: TasksOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const tasks = await allTasks(remote, { name: glob, tag: options.tag, outcome: options.outcome })
    io.out(options.json ? JSON.stringify({ tasks, nextCursor: null }, null, 2) : listed(tasks))
    return EXIT.ok
  })
}

async function allTasks(remote: Remote, filter: Record<string, string | readonly string[] | undefined>) {
  const tasks: TaskView[] = []
  let cursor: string | undefined
  do {
    const { text } = await remote.call({ path: '/v4/tasks', query: { ...filter, limit: 500, cursor }, what: 'tasks' })
    const page = JSON.parse(text) as { tasks: readonly TaskView[]; nextCursor: string | null }
    tasks.push(...page.tasks)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return tasks
}

const HEAD = ['TASK', 'TYPE', 'LAST RUN', 'ENDED', 'RAN', 'ID']

function listed(tasks: readonly TaskView[]): string {
  const rows = tasks.map(({ taskId, taskName, taskType, enabled, last }) => [
    enabled ? taskName : `${taskName} (disabled)`,
    taskType,
    last ? (last.outcome ?? last.state) : 'never',
    last?.stoppedAt ?? '',
    span(last?.runMs ?? null),
    taskId,
  ])
  return table([HEAD, ...rows])
}
