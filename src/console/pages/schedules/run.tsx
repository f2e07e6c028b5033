/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** One run of a schedule. */
import { SCHEDULE_RUN, SCHEDULES } from '../../../tasks/schedule/contract.ts'
import { taskNamesOf } from '../../names.ts'
import type { Page } from '../../page.ts'
import { ErrorBox, Facts, Head, Panel } from '../../ui/panel.tsx'
import { Name, Prose, plainName, Time } from '../../ui/text.tsx'
import { notFound, REASONS, RunMark, TaskLink, TRIGGERS } from './editor.tsx'
import { nameOf } from './form.ts'

export const scheduleRun: Page = {
  path: '/schedules/:id/runs/:runId',
  place: 'schedules',
  scope: 'schedule:read',
  async render(context) {
    const { id = '', runId = '' } = context.params
    const path = `/schedules/${encodeURIComponent(id)}`
    const [found, schedule] = await Promise.all([
      context.ask(SCHEDULE_RUN, { params: { id, runId } }),
      context.ask(SCHEDULES, { query: { id } }),
    ])
    if (!found.ok) return notFound(context, found.status, <ErrorBox failure={found} />)
    const run = found.data
    const names = await taskNamesOf(
      context,
      run.tasks.map(({ taskId }) => taskId),
    )
    const name = schedule.ok && schedule.data[0] ? nameOf(schedule.data[0]) : id
    return {
      title: `Run of ${plainName(name)}`,
      live: ['schedule'],
      body: (
        <>
          <Head
            title={
              <>
                Run of <Name text={name} />
              </>
            }
            crumbs={[
              { href: context.link('/schedules'), text: 'Schedules' },
              { href: context.link(path), text: <Name text={name} /> },
            ]}
            beside={<RunMark {...run} />}
          />
          <div class="stack" data-part="run">
            <Panel id="facts" title="Run">
              <div class="body">
                <Facts
                  facts={[
                    ['Due', <Time at={run.dueAt} zone={context} />],
                    ['Fired', <Time at={run.firedAt} zone={context} />],
                    ['Started', TRIGGERS[run.trigger]],
                    run.reason !== null && ['Skipped', REASONS[run.reason] ?? run.reason],
                    run.detail !== null && ['Detail', <Prose text={run.detail} zone={context} />],
                    ['Id', <code>{run.runId}</code>],
                  ]}
                />
              </div>
            </Panel>
            <Panel id="tasks" title="Tasks" count={run.tasks.length}>
              <ul class="body stack">
                {run.tasks.map((task) => (
                  <li>
                    <TaskLink context={context} names={names} {...task} />
                  </li>
                ))}
                {run.tasks.length === 0 && <li class="sub">No task was started.</li>}
              </ul>
            </Panel>
          </div>
        </>
      ),
    }
  },
}
