/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The start queue: what waits because of a limit of concurrent starts. */
import { START_QUEUE, type StartQueue } from '../../../tasks/start/contract.ts'
import type { Page } from '../../page.ts'
import { ActionButton } from '../../ui/forms.tsx'
import { Empty, ErrorBox, Head, Table } from '../../ui/panel.tsx'
import { Ago, counted, Name } from '../../ui/text.tsx'

export const queuePage: Page = {
  path: '/tasks/queue',
  place: 'tasks',
  scope: 'task:read',
  async render(context) {
    const asked = await context.ask(START_QUEUE)
    return {
      title: 'Start queue',
      live: ['execution'],
      body: (
        <>
          <Head title="Start queue" crumbs={[{ href: context.link('/tasks'), text: 'Tasks' }]} />
          {asked.ok ? <Waiting {...asked.data} /> : <ErrorBox failure={asked} retry={context.here({})} />}
        </>
      ),
    }

    function Waiting({ queue, running, maxConcurrent }: StartQueue) {
      return (
        <>
          <p class="sub" data-part="queue">
            {counted(running, 'task')} run{running === 1 ? 's' : ''} that Footman has started
            {maxConcurrent > 0 && `, at most ${maxConcurrent} at a time`}.
          </p>
          {queue.length === 0 ? (
            <Empty title="Nothing waits" yaml={'Butler:\n  footman:\n    startQueue:\n      maxConcurrent: 4'}>
              Starts wait here, first in, first out, when a limit of concurrent starts is set or given with a start.
            </Empty>
          ) : (
            <section class="panel">
              <Table
                context={context}
                caption="Starts that wait"
                rows={queue}
                keyOf={({ queueId }) => queueId}
                columns={[
                  {
                    head: 'Task',
                    sort: (row) => row.taskName,
                    cell: ({ taskId, taskName, position }) => (
                      <span class="l">
                        <span class="muted">{position}</span>
                        <a href={context.link(`/tasks/${taskId}`)}>
                          <Name text={taskName} />
                        </a>
                      </span>
                    ),
                  },
                  {
                    head: 'Waits since',
                    sort: (row) => row.queuedAt,
                    cell: ({ queuedAt }) => <Ago at={queuedAt} zone={context} />,
                  },
                  { head: 'Started by', sort: (row) => row.actor, cell: ({ actor }) => <Name text={actor} /> },
                  {
                    head: '',
                    cell: ({ queueId, taskName }) => (
                      <ActionButton
                        context={context}
                        operation="queue.remove"
                        scope="task:run"
                        values={{ queueId, taskName }}
                      >
                        Remove
                      </ActionButton>
                    ),
                  },
                ]}
              />
            </section>
          )}
        </>
      )
    }
  },
}
