/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The list of reports and the page of one. */

import type { FC, PropsWithChildren } from 'hono/jsx'
import { Name, plainName } from '../../platform/html-page.tsx'
import { visible } from '../../platform/visible.ts'
import { sizeText } from '../runs/mail.tsx'
import { daysAgo, dayText, Icon, type PageContext, pageOf, Time } from './frame.tsx'
import type { HubItem, HubListItem } from './store.ts'

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

/** Formats that browsers show in a page without rights. */
const VIEWABLE: ReadonlySet<string> = new Set(['html', 'pdf', 'png', 'svg'])
export const isViewable = ({ format }: Pick<HubItem, 'format'>): boolean => VIEWABLE.has(format)

// --- List ---

interface ListContent {
  readonly view: ListView
  readonly items: readonly HubListItem[]
  readonly total: number
  readonly projects: readonly { readonly project: string; readonly items: number; readonly unread: number }[]
}

export function listPage(context: PageContext, { view, items, total, projects }: ListContent): string {
  const all = sum(projects.map((one) => one.items))
  const fresh = sum(projects.map(({ unread }) => unread))
  const isFiltered = view.q !== '' || view.unread
  const content = (
    <>
      <div class="head">
        <h1>Reports for you</h1>
        {fresh > 0 && <span class="muted">{fresh} new</span>}
      </div>
      {all === 0 ? (
        <p class="panel empty">Nothing has been published for you yet.</p>
      ) : (
        <>
          <Filters root={context.root} view={view} all={all} fresh={fresh} projects={projects} />
          {items.length === 0 && <NothingFound root={context.root} view={view} />}
          {byDay(items, context).map(({ label, members }) => (
            <section>
              <h2 class="day">{label}</h2>
              <div class="panel">
                {together(members).map((documents) => (
                  <ListEntry context={context} documents={documents} isFiltered={isFiltered} />
                ))}
              </div>
            </section>
          ))}
          <Pager root={context.root} view={view} total={total} />
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
    <section class="panel empty">
      <p>No report matches.</p>
      <p class="chipset">
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
      <label class="field">
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
      <div class="chipset">
        <Chip to={{ unread: false }} current={!view.unread}>
          All {all}
        </Chip>
        <Chip to={{ unread: true }} current={view.unread}>
          New {fresh}
        </Chip>
        <details class="menu">
          <summary class="chip" aria-current={view.project ? 'true' : undefined}>
            {view.project ? <Name text={view.project} /> : 'Project'}
            <Icon name="down" />
          </summary>
          <ul class="box">
            <li>
              <a href={listUrl(root, { ...view, offset: 0, project: '' })}>All projects</a>
            </li>
            {projects.map(({ project, items }) => (
              <li>
                <a href={listUrl(root, { ...view, offset: 0, project })}>
                  <Name text={project} /> <span class="muted">{items}</span>
                </a>
              </li>
            ))}
          </ul>
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
  readonly context: PageContext
  /** In the order of the run; at least one. */
  readonly documents: readonly HubListItem[]
  /** Documents may be missing, as they do not fit the search. */
  readonly isFiltered: boolean
}

const ListEntry: FC<EntryProps> = ({ context, documents, isFiltered }) => {
  const [item] = documents as readonly [HubListItem]
  const shown = documents.length > MOST_FILES ? documents.slice(0, MOST_FILES - 1) : documents
  const urlOf = ({ id }: HubListItem) => `${context.root}/items/${id}`
  return (
    <article class="report">
      <h3>
        <a href={urlOf(item)}>
          <Name text={item.title} />
        </a>
        {documents.some(({ unread }) => unread) && (
          <span class="new">
            <svg class="dot" viewBox="0 0 8 8" aria-hidden="true">
              <circle cx="4" cy="4" r="4" />
            </svg>
            New
          </span>
        )}
      </h3>
      <p class="muted">
        <Name text={item.project} /> · <Time at={item.publishedAt} context={context} />
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
    {' · '}
    <b class="test">Test</b>
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
      <span class="ext">{item.format.toUpperCase()}</span>
      <span class="nm">
        {linked ? (
          <a class="link" href={url}>
            <Name text={item.fileName} />
          </a>
        ) : (
          <Name text={item.fileName} />
        )}{' '}
        <span class="muted nowrap">{sizeText(item.bytes)}</span>
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

const Pager: FC<{ readonly root: string; readonly view: ListView; readonly total: number }> = ({
  root,
  view,
  total,
}) => {
  const { offset } = view
  if (total <= PAGE_SIZE && offset === 0) return null
  return (
    <nav class="pager" aria-label="Pages">
      {offset > 0 && (
        <a class="btn" href={listUrl(root, { ...view, offset: Math.max(0, offset - PAGE_SIZE) })}>
          Newer
        </a>
      )}
      <span class="muted">
        {Math.min(offset + 1, total)}–{Math.min(offset + PAGE_SIZE, total)} of {total}
      </span>
      {offset + PAGE_SIZE < total && (
        <a class="btn" href={listUrl(root, { ...view, offset: offset + PAGE_SIZE })}>
          Older
        </a>
      )}
    </nav>
  )
}

function byDay(items: readonly HubListItem[], context: PageContext) {
  const groups: { label: string; members: HubListItem[] }[] = []
  for (const item of items) {
    const label = groupLabel(item.publishedAt, context)
    const last = groups.at(-1)
    if (last?.label === label) last.members.push(item)
    else groups.push({ label, members: [item] })
  }
  return groups
}

function groupLabel(at: number, context: PageContext): string {
  const days = daysAgo(at, context)
  if (days <= 0) return `Today, ${dayText(at, context)}`
  if (days === 1) return `Yesterday, ${dayText(at, context)}`
  if (days <= 7) return 'Last 7 days'
  return days <= 30 ? 'Last 30 days' : 'Earlier'
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

export function itemPage(context: PageContext, content: ItemContent): string {
  const { item, versions, query } = content
  const { root, reader } = context
  const url = (id: string) => `${root}/items/${id}`
  const [latest] = versions
  const others = content.together.filter(({ id }) => id !== item.id)
  const page = (
    <>
      {reader && (
        <p class="crumbs">
          <a class="link" href={root}>
            <Icon name="left" />
            All reports
          </a>
        </p>
      )}
      <div class="head">
        <h1>
          <Name text={item.title} />
        </h1>
      </div>
      <p class="muted">
        <Name text={item.project} /> · <Name text={item.taskName} /> ·{' '}
        <Time at={item.publishedAt} context={context} full />
        {item.test && <TestMark />}
      </p>
      {latest && latest.id !== item.id && (
        <p class="note">
          This is version {item.version}.{' '}
          <a class="link" href={url(latest.id)}>
            Open the newest, version {latest.version}
          </a>
        </p>
      )}
      <section class="panel one">
        <div class="report">
          <File url={url(item.id)} item={item} query={query} />
        </div>
      </section>
      {others.length > 0 && (
        <section>
          <h2 class="day">Published together</h2>
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
          <h2 class="day">{versions.length} versions</h2>
          <ol class="panel versions">
            {versions.map((one) => (
              <li class="report" aria-current={one.id === item.id ? 'true' : undefined}>
                <p>
                  <a class="link" href={url(one.id)}>
                    Version {one.version}
                  </a>{' '}
                  <span class="muted">
                    · <Time at={one.publishedAt} context={context} full />
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
