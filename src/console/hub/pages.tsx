/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The list of reports and the page of one. */
import type { FC, PropsWithChildren } from 'hono/jsx'
import { visible } from '../../platform/visible.ts'
import { createZone } from '../../platform/zone.ts'
import { isViewable } from '../../reports/hub/files.ts'
import type { HubItem, HubListItem } from '../../reports/hub/store.ts'
import { Badge, Icon } from '../ui/marks.tsx'
import { Empty, Head, OffsetPager } from '../ui/panel.tsx'
import { bytesText, Name, plainName, Time, weekdayText } from '../ui/text.tsx'
import { pageOf, type ReaderContext } from './frame.tsx'

/** The query of the list. */
interface ListView {
  readonly q: string
  readonly project: string
  readonly unread: boolean
  readonly offset: number
}

export const PAGE_SIZE = 50
/** Files that an entry of the list shows. */
const MOST_FILES = 6

// --- List ---

interface ListContent {
  readonly view: ListView
  readonly items: readonly HubListItem[]
  readonly total: number
  readonly projects: readonly { readonly project: string; readonly items: number; readonly unread: number }[]
}

export function listPage(context: ReaderContext, { view, items, total, projects }: ListContent): string {
  const all = sum(projects.map((one) => one.items))
  const fresh = sum(projects.map(({ unread }) => unread))
  const isFiltered = view.q !== '' || view.unread
  const content = (
    <>
      <Head title="Reports for you" beside={fresh > 0 && <span class="muted">{fresh} new</span>} />
      {all === 0 ? (
        <section class="panel">
          <Empty title="Nothing has been published for you yet." />
        </section>
      ) : (
        <>
          <Filters root={context.root} view={view} all={all} fresh={fresh} projects={projects} />
          {items.length === 0 && <NothingFound root={context.root} view={view} />}
          {byDay(items, context).map(({ label, isRecent, members }) => (
            <section>
              <h2>{label}</h2>
              <div class="panel">
                {together(members).map((documents) => (
                  <ListEntry context={context} documents={documents} isRecent={isRecent} isFiltered={isFiltered} />
                ))}
              </div>
            </section>
          ))}
          <OffsetPager
            context={{
              query: new URLSearchParams(view.offset > 0 ? { offset: String(view.offset) } : {}),
              here: ({ offset }) => listUrl(context.root, { ...view, offset: Number(offset ?? 0) }),
            }}
            size={PAGE_SIZE}
            total={total}
            words={['Newer', 'Older']}
          />
        </>
      )}
    </>
  )
  return pageOf(context, 'Reports for you', content)
}

/** Each filter with a link that removes it. */
const NothingFound: FC<{ readonly root: string; readonly view: ListView }> = ({ root, view }) => {
  const Filter: FC<{ readonly without: Partial<ListView>; readonly text: string }> = ({ without, text }) => (
    <a class="chip" href={listUrl(root, { ...view, offset: 0, ...without })}>
      <span class="sr">Remove </span>
      <Name text={text} />
      <Icon name="no" />
    </a>
  )
  return (
    <section class="panel body stack">
      <p>No report matches.</p>
      <p class="chips">
        {view.q && <Filter without={{ q: '' }} text={`Search: ${view.q}`} />}
        {view.project && <Filter without={{ project: '' }} text={`Project: ${view.project}`} />}
        {view.unread && <Filter without={{ unread: false }} text="New" />}
        <a class="chip" href={root}>
          Show all reports
        </a>
      </p>
    </section>
  )
}

/** Address of the list with another filter. */
function listUrl(root: string, { q, project, unread, offset }: ListView): string {
  const query = new URLSearchParams()
  if (q) query.set('q', q)
  if (project) query.set('project', project)
  if (unread) query.set('unread', '1')
  if (offset > 0) query.set('offset', String(offset))
  return query.size > 0 ? `${root}?${query}` : root
}

const Filters: FC<
  Pick<ListContent, 'view' | 'projects'> & { readonly root: string; readonly all: number; readonly fresh: number }
> = ({ root, view, all, fresh, projects }) => {
  const Chip: FC<PropsWithChildren<{ readonly to: Partial<ListView>; readonly current: boolean }>> = (props) => (
    <a
      class="chip"
      href={listUrl(root, { ...view, offset: 0, ...props.to })}
      aria-current={props.current ? 'true' : undefined}
    >
      {props.children}
    </a>
  )
  return (
    <form class="filters" action={root}>
      <label class="field grow">
        <Icon name="search" />
        <span class="sr">Search title, project or file</span>
        <input
          type="search"
          name="q"
          value={view.q}
          placeholder="Search title, project or file"
          maxlength={200}
          autocomplete="off"
        />
      </label>
      {view.project && <input type="hidden" name="project" value={view.project} />}
      {view.unread && <input type="hidden" name="unread" value="1" />}
      <button class="sr" type="submit">
        Search
      </button>
      <div class="chips">
        <Chip to={{ unread: false }} current={!view.unread}>
          All {all}
        </Chip>
        <Chip to={{ unread: true }} current={view.unread}>
          New {fresh}
        </Chip>
        <details class="menu pick">
          <summary class="chip" aria-current={view.project ? 'true' : undefined}>
            {view.project ? <Name text={view.project} /> : 'Project'}
            <Icon name="down" />
          </summary>
          <div class="box">
            {[{ project: '', items: all }, ...projects].map(({ project, items }) => (
              <a class="btn s quiet" href={listUrl(root, { ...view, offset: 0, project })}>
                {project ? <Name text={project} /> : 'All projects'} <span class="muted">{items}</span>
              </a>
            ))}
          </div>
        </details>
      </div>
    </form>
  )
}

/** The documents of a run with the same title, which are shown as one. */
function together(items: readonly HubListItem[]): HubListItem[][] {
  const entries = Map.groupBy(items, ({ runId, title, test }) => JSON.stringify([runId, title, test]))
  return [...entries.values()].map((documents) => documents.toReversed())
}

interface EntryProps {
  readonly context: ReaderContext
  /** In the order of the run; at least one. */
  readonly documents: readonly HubListItem[]
  /** Published today or yesterday. */
  readonly isRecent: boolean
  /** Documents may be missing, as they do not fit the search. */
  readonly isFiltered: boolean
}

const ListEntry: FC<EntryProps> = ({ context, documents, isRecent, isFiltered }) => {
  const [item] = documents as readonly [HubListItem]
  const shown = documents.length > MOST_FILES ? documents.slice(0, MOST_FILES - 1) : documents
  const urlOf = ({ id }: HubListItem) => `${context.root}/items/${id}`
  return (
    <article class="report">
      <h3>
        <a href={urlOf(item)}>
          <Name text={item.title} />
        </a>
        {documents.some(({ unread }) => unread) && <Badge tone="info" text="New" />}
      </h3>
      <p class="muted">
        <Name text={item.project} /> ·{' '}
        <Time at={item.publishedAt} zone={context} seconds={false} clock={isRecent} weekday />
        {item.versions > 1 && (
          <>
            {' · '}
            <a class="link" href={`${urlOf(item)}#versions`}>
              {item.versions} versions
            </a>
          </>
        )}
        {item.test && <TestMark />}
      </p>
      {shown.map((one) => (
        <File url={urlOf(one)} item={one} query="" />
      ))}
      {shown.length < documents.length && (
        <p class="file">
          <a class="link" href={urlOf(item)}>
            {documents.length - shown.length} more files
          </a>
        </p>
      )}
      {documents.length > 1 && !isFiltered && <DownloadAll url={urlOf(item)} title={item.title} />}
    </article>
  )
}

const DownloadAll: FC<{ readonly url: string; readonly title: string }> = ({ url, title }) => (
  <p class="all">
    <a class="btn" href={`${url}/files.zip`}>
      <Icon name="get" />
      Download all as ZIP
      <span class="sr">: {visible(title.toWellFormed())}</span>
    </a>
  </p>
)

const TestMark: FC = () => (
  <>
    {' '}
    <Badge tone="warn" text="Test" />
  </>
)

interface FileProps {
  readonly url: string
  readonly item: HubItem
  /** That of a signed link. */
  readonly query: string
  /** The name leads to the page of the item. */
  readonly linked?: boolean
}

const File: FC<FileProps> = ({ url, item, query, linked = false }) => {
  const file = `${url}/files/1`
  const name = visible(item.fileName.toWellFormed())
  return (
    <div class="file">
      <Badge text={item.format.toUpperCase()} />
      <span class="name">
        {linked ? (
          <a class="link" href={url}>
            <Name text={item.fileName} />
          </a>
        ) : (
          <Name text={item.fileName} />
        )}{' '}
        <span class="muted nowrap">{bytesText(item.bytes)}</span>
      </span>
      <span class="tools">
        {isViewable(item) && (
          <a class="btn" href={`${file}?view=1${query && `&${query}`}`} aria-label={`View ${name}`}>
            View
          </a>
        )}
        <a class="btn" href={`${file}${query && `?${query}`}`} aria-label={`Download ${name}`}>
          <Icon name="get" />
          Download
        </a>
      </span>
    </div>
  )
}

interface DayGroup {
  readonly label: string
  /** Published today or yesterday. */
  readonly isRecent: boolean
  readonly members: HubListItem[]
}

function byDay(items: readonly HubListItem[], { timezone, now }: ReaderContext): DayGroup[] {
  const { wall } = createZone(timezone)
  const dayOf = (instant: number) => Math.floor(wall(instant) / DAY_MS)
  const today = dayOf(now)
  const groups: DayGroup[] = []
  for (const item of items) {
    const days = today - dayOf(item.publishedAt)
    const label = groupLabel(days, weekdayText(item.publishedAt, timezone))
    const last = groups.at(-1)
    if (last?.label === label) last.members.push(item)
    else groups.push({ label, isRecent: days <= 1, members: [item] })
  }
  return groups
}

const DAY_MS = 86_400_000

function groupLabel(daysAgo: number, day: string): string {
  if (daysAgo <= 0) return `Today, ${day}`
  if (daysAgo === 1) return `Yesterday, ${day}`
  if (daysAgo <= 7) return 'Last 7 days'
  return daysAgo <= 30 ? 'Last 30 days' : 'Earlier'
}

// --- Item ---

interface ItemContent {
  readonly item: HubItem
  /** Newest first; the item alone behind a signed link. */
  readonly versions: readonly HubItem[]
  /** The documents that were published together, in the order of the run; the item alone behind a signed link. */
  readonly together: readonly HubItem[]
  /** Query of the signed link that opened the page; ''. */
  readonly query: string
}

export function itemPage(context: ReaderContext, content: ItemContent): string {
  const { item, versions, query } = content
  const { root, reader } = context
  const url = (id: string) => `${root}/items/${id}`
  const [latest] = versions
  const others = content.together.filter(({ id }) => id !== item.id)
  const page = (
    <>
      <Head title={<Name text={item.title} />} crumbs={reader ? [{ href: root, text: 'All reports' }] : []} />
      <p class="muted">
        <Name text={item.project} /> · <Name text={item.taskName} /> ·{' '}
        <Time at={item.publishedAt} zone={context} seconds={false} weekday />
        {item.test && <TestMark />}
      </p>
      {latest && latest.id !== item.id && (
        <p class="panel note">
          This is version {item.version}.{' '}
          <a class="link" href={url(latest.id)}>
            Open the newest, version {latest.version}
          </a>
        </p>
      )}
      <section class="panel report">
        <File url={url(item.id)} item={item} query={query} />
      </section>
      {others.length > 0 && (
        <section>
          <h2>Published together</h2>
          <div class="panel report">
            {others.map((one) => (
              <File url={url(one.id)} item={one} query="" linked />
            ))}
            <DownloadAll url={url(item.id)} title={item.title} />
          </div>
        </section>
      )}
      {versions.length > 1 && (
        <section id="versions">
          <h2>{versions.length} versions</h2>
          <ol class="panel">
            {versions.map((one) => (
              <li class="report" aria-current={one.id === item.id ? 'true' : undefined}>
                <p>
                  <a class="link" href={url(one.id)}>
                    Version {one.version}
                  </a>{' '}
                  <span class="muted">
                    · <Time at={one.publishedAt} zone={context} seconds={false} weekday />
                    {one.id === item.id && ' · shown'}
                  </span>
                </p>
                {one.id !== item.id && <File url={url(one.id)} item={one} query="" />}
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  )
  return pageOf(context, plainName(item.title), page)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
