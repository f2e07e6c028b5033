/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The templates of reports: uploaded files and those of the template folder, with the reports that use them. */
import { TEMPLATES, type Template } from '../../../reports/templates/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Empty, Head, Table } from '../../ui/panel.tsx'
import { bytesText, Name, plainName, Time } from '../../ui/text.tsx'
import { ListError, Places, switchedOff } from './tasks.tsx'

export const templateList: Page = {
  path: '/reports/templates',
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const answer = await context.ask(TEMPLATES)
    return {
      title: 'Templates',
      body: (
        <>
          <Head title="Templates" beside={<Places context={context} kind="templates" />}>
            <a class="btn primary" href={context.link('/reports/reports/new', { type: 'template' })}>
              New report of a template
            </a>
          </Head>
          {!answer.ok ? (
            <ListError context={context} failure={answer} />
          ) : answer.data.reportTemplates.length === 0 ? (
            <Empty title="No templates">
              A report of a template fills an Excel, Word or PowerPoint file. Its page takes the file; files of the
              template folder are listed here, too.
            </Empty>
          ) : (
            <section class="panel">
              <TemplateTable context={context} templates={answer.data.reportTemplates} />
            </section>
          )}
        </>
      ),
    }
  },
}

const TemplateTable = ({ context, templates }: { context: PageContext; templates: readonly Template[] }) => (
  <Table
    context={context}
    caption="Templates: uploaded ones, then those of the folder"
    rows={templates}
    keyOf={({ source, fileName, reports }) => [source, fileName, reports[0]?.id].join(' ')}
    columns={[
      {
        head: 'File',
        sort: (row) => row.fileName,
        cell: ({ fileName, bytes, reports: [first] }) =>
          first && bytes !== null ? (
            <a href={`${context.root}/api/v4/report/${first.id}/template`} download={plainName(fileName)}>
              <Name text={fileName} />
            </a>
          ) : (
            <Name text={fileName} />
          ),
      },
      {
        head: 'From',
        sort: (row) => row.source,
        cell: ({ source }) => (source === 'upload' ? 'upload' : 'template folder'),
      },
      {
        head: 'Size',
        num: true,
        sort: (row) => row.bytes,
        cell: ({ bytes }) => (bytes === null ? <b class="bad">gone</b> : bytesText(bytes)),
      },
      {
        head: 'Used by',
        sort: (row) => row.reports[0]?.name,
        cell: ({ reports }) =>
          reports.length === 0 ? (
            <span class="muted">no report</span>
          ) : (
            reports.map(({ id, name }) => (
              <div>
                <a href={context.link(`/reports/reports/${id}`)}>
                  <Name text={name} />
                </a>
              </div>
            ))
          ),
      },
      {
        head: 'Uploaded',
        sort: (row) => row.uploadedAt,
        cell: ({ uploadedAt, uploadedBy }) =>
          uploadedAt === null ? (
            <span class="muted">–</span>
          ) : (
            <>
              <Time at={uploadedAt} zone={context} seconds={false} /> <Name text={uploadedBy} />
            </>
          ),
      },
      {
        head: '',
        cell: ({ source, reports: [first] }) =>
          source === 'upload' &&
          first && (
            <ActionLink
              context={context}
              operation="reports.template.delete"
              scope="report:write"
              values={{ id: first.id }}
              class="s"
            >
              Delete…
            </ActionLink>
          ),
      },
    ]}
  />
)
