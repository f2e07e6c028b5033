/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** File operations that callers do not wait for. */
import { FILE_JOB, FILE_JOBS, type FileJob } from '../../../files/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Mark, type State } from '../../ui/marks.tsx'
import { CopyText, Empty, ErrorBox, Facts, Head, Pager, Panel, Table } from '../../ui/panel.tsx'
import { Ago, bytesText, durationText, Name, numberText, Time } from '../../ui/text.tsx'
import { SystemHead } from '../system/places.tsx'
import { OffOr } from './keyvalues.tsx'

const MARKS: Readonly<Record<FileJob['state'], readonly [State, string]>> = {
  waiting: ['queued', 'waits'],
  running: ['running', 'running'],
  succeeded: ['success', 'succeeded'],
  failed: ['failed', 'failed'],
  cancelled: ['aborted', 'cancelled'],
}

const SWITCH_ON = `Butler:
  restServerEndpointsEnable:
    fileCopy: true
  fileCopyApprovedDirectories:
    - fromDirectory: /data/qvd
      toDirectory: /data/archive`

const crumbs = (context: PageContext) => [{ href: context.link('/system'), text: 'System' }]

export const fileJobs: Page = {
  path: '/system/files',
  place: 'system',
  scope: 'file:write',
  async render(context) {
    const answer = await context.ask(FILE_JOBS, { query: { limit: 50, cursor: context.query.get('cursor') } })
    return {
      title: 'File jobs',
      live: ['file'],
      body: (
        <>
          <SystemHead context={context} title="File jobs" />
          {!answer.ok && <OffOr failure={answer} what="File operations" yaml={SWITCH_ON} retry={context.here({})} />}
          {answer.ok && answer.data.fileJobs.length === 0 && <NoJobs context={context} />}
          {answer.ok && answer.data.fileJobs.length > 0 && (
            <section class="panel">
              <Jobs context={context} jobs={answer.data.fileJobs} />
              <Pager context={context} nextCursor={answer.data.nextCursor} />
            </section>
          )}
        </>
      ),
    }
  },
}

/** Paths are for programs: the page has no field for them. */
const NoJobs = ({ context }: { readonly context: PageContext }) => {
  const host = context.request.headers.get('host') ?? 'localhost'
  const url = `${context.request.secure ? 'https' : 'http'}://${host}${context.request.prefix}/v4/filecopy?async=true`
  const body = `{"fromFile":"/data/qvd/sales.qvd","toFile":"/data/archive/sales.qvd","overwrite":true}`
  return (
    <>
      <Empty title="No file jobs" icon="planned">
        Operations that a caller does not wait for are listed here for an hour after their end. Such a call:
      </Empty>
      <CopyText text={`curl -X PUT '${url}' \\\n  -H 'content-type: application/json' \\\n  -d '${body}'`} />
    </>
  )
}

const Jobs = ({ context, jobs }: { readonly context: PageContext; readonly jobs: readonly FileJob[] }) => (
  <Table
    context={context}
    caption="File jobs, the newest first"
    rows={jobs}
    keyOf={({ jobId }) => jobId}
    columns={[
      {
        head: 'Job',
        sort: (row) => row.from,
        cell: ({ jobId, operation, from, state }) => (
          <a class="l" href={context.link(`/system/files/${jobId}`)}>
            <Mark state={MARKS[state][0]} />
            <span>
              {operation} <Name text={from} />
            </span>
          </a>
        ),
      },
      { head: 'To', sort: (row) => row.to, cell: ({ to }) => <Name text={to} /> },
      { head: 'State', sort: (row) => row.state, cell: (job) => <JobState job={job} /> },
      { head: 'Progress', cell: (job) => <Progress job={job} /> },
      { head: 'Begun', sort: (row) => row.startedAt, cell: ({ startedAt }) => <Ago at={startedAt} zone={context} /> },
      { head: '', cell: (job) => <Cancel context={context} job={job} /> },
    ]}
  />
)

const JobState = ({ job: { state, error } }: { readonly job: FileJob }) => (
  <>
    <Mark state={MARKS[state][0]} word={MARKS[state][1]} />
    {error && (
      <div class="sub">
        <Name text={error} />
      </div>
    )}
  </>
)

const Progress = ({
  job: { bytes, bytesDone, bytesPerSecond, files, filesDone, state },
}: {
  readonly job: FileJob
}) => {
  const share = bytes === 0 ? (state === 'succeeded' ? 100 : 0) : Math.min(100, Math.round((bytesDone / bytes) * 100))
  const left = bytesPerSecond > 0 ? ((bytes - bytesDone) / bytesPerSecond) * 1000 : 0
  return (
    <>
      <svg class="heat" role="img" aria-label={`${share} %`}>
        <rect width={`${share}%`} height="4" />
      </svg>
      {`${share} %, ${bytesText(bytesDone)} of ${bytesText(bytes)}, ${numberText(filesDone)} of ${numberText(files)} files`}
      {state === 'running' && bytesPerSecond > 0 && (
        <div class="sub">{`${bytesText(bytesPerSecond)}/s, ready in ${durationText(left, true)}`}</div>
      )}
    </>
  )
}

const Cancel = ({ context, job: { jobId, finishedAt } }: { readonly context: PageContext; readonly job: FileJob }) =>
  finishedAt === null ? (
    <ActionLink context={context} operation="filejob.cancel" scope="file:write" values={{ jobId }}>
      Cancel…
    </ActionLink>
  ) : null

export const fileJob: Page = {
  path: '/system/files/:jobId',
  place: 'system',
  scope: 'file:write',
  async render(context) {
    const answer = await context.ask(FILE_JOB, { params: { jobId: context.params.jobId ?? '' } })
    const trail = [...crumbs(context), { href: context.link('/system/files'), text: 'File jobs' }]
    if (!answer.ok) {
      return {
        title: 'File job',
        status: answer.status,
        body: (
          <>
            <Head title="File job" crumbs={trail} />
            <ErrorBox failure={answer} />
          </>
        ),
      }
    }
    const job = answer.data
    return {
      title: `File job ${job.operation}`,
      live: ['file'],
      body: (
        <>
          <Head title={`File job: ${job.operation}`} crumbs={trail} beside={<JobState job={job} />}>
            <Cancel context={context} job={job} />
          </Head>
          <div class="stack" data-part="job">
            <Panel id="facts" title="Job">
              <div class="body stack">
                <Progress job={job} />
                <Facts
                  facts={[
                    ['From', <Name text={job.from} />],
                    job.to !== null && ['To', <Name text={job.to} />],
                    ['Begun', <Time at={job.startedAt} zone={context} />],
                    ['Ended', <Time at={job.finishedAt} zone={context} />],
                    ['Id', <code>{job.jobId}</code>],
                  ]}
                />
              </div>
            </Panel>
          </div>
        </>
      ),
    }
  },
}
