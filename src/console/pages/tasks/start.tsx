/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Starting tasks: the dialog shows which tasks a start would start, before anything is started. */
import type { Child, FC } from 'hono/jsx'
import { addressOf } from '../../../http/endpoint/contract.ts'
import type { TaskRef } from '../../../tasks/executions/contract.ts'
import { type ObjectAnswer, type PreviewedStart, REMOVE_QUEUED, START_TASKS } from '../../../tasks/start/contract.ts'
import type { Fields, Operations } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { Mark, type State } from '../../ui/marks.tsx'
import { ErrorBox } from '../../ui/panel.tsx'
import { counted, Name } from '../../ui/text.tsx'

/** The body says which tasks. */
const ANY = { params: { taskId: '-' } }
const MOST_CONCURRENT = 100

/** The call of the form: the tasks, and how many may run at a time. */
function callOf({ all, get }: Fields) {
  const most = Number.parseInt(get('maxConcurrent'), 10)
  return {
    ...addressOf(START_TASKS, ANY),
    query: { maxConcurrent: most > 0 ? most : null },
    body: { taskId: all('taskId') },
  }
}

async function preview({ all }: Fields, context: PageContext): Promise<Child> {
  const taskIds = all('taskId')
  const asked = await context.ask(START_TASKS, { ...ANY, query: { dryRun: true }, body: { taskId: taskIds } })
  return (
    <>
      {taskIds.map((taskId) => (
        <input type="hidden" name="taskId" value={taskId} />
      ))}
      {!asked.ok && <ErrorBox failure={asked} />}
      {asked.ok && 'follows' in asked.data && <Shown context={context} preview={asked.data} />}
      {taskIds.length > 1 && (
        <label class="field">
          <span>At most so many at a time</span>
          <input
            name="maxConcurrent"
            inputmode="numeric"
            pattern={`[1-9][0-9]?|${MOST_CONCURRENT}`}
            placeholder="all"
          />
        </label>
      )}
    </>
  )
}

const Shown: FC<{ readonly context: PageContext; readonly preview: PreviewedStart }> = ({ context, preview }) => {
  const { tasksStarted, tasksDenied, tasksDisabled, tasksRunning, tasksNotFound, follows } = preview
  const named = (tasks: readonly TaskRef[]) => tasks.map(({ taskName }) => taskName)
  return (
    <>
      <Listed state="planned" head="Will start" names={named(tasksStarted)} />
      <Listed state="running" head="Runs already, not started again" names={named(tasksRunning)} />
      <Listed state="skipped" head="Disabled in Qlik Sense" names={named(tasksDisabled)} />
      <Listed
        state="failed"
        head="Not allowed by the start filter"
        names={tasksDenied.flatMap((one) => ('taskId' in one ? one.taskId : []))}
      />
      <Listed state="unknown" head="Not found" names={tasksNotFound} />
      {tasksStarted.length === 0 && <p class="lead">Nothing would be started.</p>}
      {follows > 0 && (
        <p class="sub">
          {counted(follows, 'task')} {follows === 1 ? 'runs' : 'run'} after these, when they succeed.
        </p>
      )}
      {context.settings.shadow && <p class="sub">Shadow mode: nothing is started.</p>}
    </>
  )
}

const MOST_NAMES = 12

const Listed: FC<{ readonly state: State; readonly head: string; readonly names: readonly string[] }> = ({
  state,
  head,
  names,
}) =>
  names.length === 0 ? null : (
    <div>
      <p>
        <b>
          {head} ({names.length})
        </b>
      </p>
      <ul class="list">
        {names.slice(0, MOST_NAMES).map((name) => (
          <li>
            <Mark state={state} />
            <Name text={name} />
          </li>
        ))}
        {names.length > MOST_NAMES && <li class="muted">and {names.length - MOST_NAMES} more</li>}
      </ul>
    </div>
  )

const failedText = (failed: NonNullable<ObjectAnswer['tasksFailed']>): string => {
  const reasons = [...new Set(failed.map(({ error }) => error).filter(Boolean))]
  return `${counted(failed.length, 'task')} not started${reasons.length > 0 ? ` (${reasons.join('; ')})` : ''}`
}

function resultText(answer: unknown): string {
  const { tasksStarted, tasksQueued = [], tasksFailed = [], tasksDenied = [] } = answer as ObjectAnswer
  const parts = [
    tasksStarted.length === 1
      ? `Started ${tasksStarted[0]!.taskName}`
      : `Started ${counted(tasksStarted.length, 'task')}`,
    tasksQueued.length > 0 && `${counted(tasksQueued.length, 'task')} wait in the start queue`,
    tasksDenied.length > 0 && `${counted(tasksDenied.length, 'task')} not allowed by the start filter`,
    tasksFailed.length > 0 && failedText(tasksFailed),
  ]
  return `${parts.filter(Boolean).join('; ')}.`
}

export const taskOperations: Operations = {
  'task.start': {
    scope: 'task:run',
    verb: 'Start',
    call: callOf,
    dialog: preview,
    done: resultText,
  },
  'queue.remove': {
    scope: 'task:run',
    verb: 'Remove',
    call: ({ get }) => addressOf(REMOVE_QUEUED, { params: { queueId: get('queueId') } }),
    done: (_, { get }) => `${get('taskName') || 'The task'} is not started.`,
  },
}
