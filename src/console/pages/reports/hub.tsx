/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** All items of the hub, for those who may read reports; readers have the hub itself. */
import { HUB_ITEMS, type HubItems } from '../../../reports/hub/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { Filters } from '../../ui/forms.tsx'
import { Badge } from '../../ui/marks.tsx'
import { Empty, Head, OffsetPager, offsetOf, SwitchedOff, Table } from '../../ui/panel.tsx'
import { bytesText, Name, plainName, Time } from '../../ui/text.tsx'
import { ListError, Places, switchedOff } from './tasks.tsx'

const SWITCH = `Butler:
  footman:
    reportTask:
      hub:
        enable: true`
const PAGE = 100

export const hubList: Page = {
  path: '/reports/hub',
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const { query } = context
    const filters = { q: query.get('q'), project: query.get('project') }
    const answer = await context.ask(HUB_ITEMS, { query: { ...filters, offset: offsetOf(context), limit: PAGE } })
    const isFiltered = Object.values(filters).some(Boolean)
    return {
      title: 'Hub',
      body: (
        <>
          <Head title="Hub" beside={<Places context={context} kind="hub" />} />
          {answer.ok ? (
            <>
              <Filters
                context={context}
                api={HUB_ITEMS.path}
                fields={[
                  { name: 'q', label: 'Title or file', kind: 'text' },
                  { name: 'project', label: 'Project', kind: 'text' },
                ]}
              />
              {answer.data.hubItems.length === 0 ? (
                <Empty title={isFiltered ? 'Nothing matches' : 'Nothing has been published'}>
                  A report task with the channel hub publishes its documents for its recipients.
                </Empty>
              ) : (
                <section class="panel">
                  <Items context={context} items={answer.data.hubItems} />
                </section>
              )}
              <OffsetPager context={context} size={PAGE} total={answer.data.total} />
            </>
          ) : answer.status === 404 ? (
            <SwitchedOff title="The hub is switched off" yaml={SWITCH}>
              In the hub recipients read and download the reports that were published for them.
            </SwitchedOff>
          ) : (
            <ListError context={context} failure={answer} />
          )}
        </>
      ),
    }
  },
}

const Items = ({ context, items }: { context: PageContext; items: HubItems['hubItems'] }) => (
  <Table
    context={context}
    caption="Items of the hub, newest first"
    rows={items}
    keyOf={({ id }) => id}
    columns={[
      {
        head: 'Title',
        sort: (row) => row.title,
        cell: ({ title, test }) => (
          <>
            <Name text={title} /> {test && <Badge tone="warn" text="test" />}
          </>
        ),
      },
      { head: 'Project', sort: (row) => row.project, cell: ({ project }) => <Name text={project} /> },
      { head: 'Report task', sort: (row) => row.taskName, cell: ({ taskName }) => <Name text={taskName} /> },
      {
        head: 'Published',
        sort: (row) => row.publishedAt,
        cell: ({ publishedAt }) => <Time at={publishedAt} zone={context} />,
      },
      { head: 'Versions', num: true, sort: (row) => row.versions, cell: ({ versions }) => versions },
      {
        head: 'File',
        sort: (row) => row.files[0]?.fileName,
        cell: ({ id, files }) =>
          files.map(({ n, fileName, bytes }) => (
            <div>
              <a href={`${context.root}/api/hub/items/${id}/files/${n}`} download={plainName(fileName)}>
                <Name text={fileName} />
              </a>{' '}
              <span class="muted">{bytesText(bytes)}</span>
            </div>
          )),
      },
    ]}
  />
)
