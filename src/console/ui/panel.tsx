/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Panels, tables, and what stands in the place of content: nothing, an error, a switch that is off. */
import type { Child, FC, PropsWithChildren } from 'hono/jsx'
import type { Asked, Failure } from '../ask.ts'
import type { PageContext } from '../page.ts'
import { Icon, type IconName } from './marks.tsx'

/** The head of a page: title, what stands beside it, and the buttons at the end of the line. */
export const Head: FC<
  PropsWithChildren<{ readonly title: Child; readonly crumbs?: readonly Crumb[]; readonly beside?: Child }>
> = ({ title, crumbs = [], beside, children }) => (
  <>
    {crumbs.length > 0 && (
      <nav class="crumbs" aria-label="Breadcrumb">
        {crumbs.map(({ href, text }, n) => (
          <>
            {n > 0 && <Icon name="right" />}
            <a href={href}>{text}</a>
          </>
        ))}
      </nav>
    )}
    <div class="head">
      <h1>{title}</h1>
      {beside}
      {children && (
        <div class="tools" data-part="head-tools">
          {children}
        </div>
      )}
    </div>
  </>
)

export interface Crumb {
  readonly href: string
  readonly text: Child
}

interface PanelProps {
  /** Unique on the page. */
  readonly id: string
  readonly title: Child
  /** Beside the title. */
  readonly count?: number | undefined
  /** At the end of the title's line. */
  readonly tools?: Child
  readonly class?: string
}

export const Panel: FC<PropsWithChildren<PanelProps>> = ({ id, title, count, tools, class: extra = '', children }) => (
  <section class={`panel ${extra}`.trim()} aria-labelledby={id}>
    <header>
      <h2 id={id}>{title}</h2>
      {count !== undefined && <span class="count quiet">{count}</span>}
      {tools && <span class="push">{tools}</span>}
    </header>
    {children}
  </section>
)

export interface Heading<Row> {
  readonly head: string
  /** Numbers stand at the right. */
  readonly num?: boolean
  /** Left out of tables on small screens; the cards of phones have it. */
  readonly wide?: boolean
  /** By what the list can be sorted here; null stands last. Absent: it cannot. */
  readonly sort?: (row: Row) => string | number | null | undefined
}

export interface Column<Row> extends Heading<Row> {
  readonly cell: (row: Row) => Child
}

interface TableProps<Row> {
  /** For readers who do not see the heading. */
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  /** Unique among the rows: live updates find a row by it. */
  readonly keyOf: (row: Row) => string
  readonly rowClass?: (row: Row) => string
  /** The page whose address holds the order; absent: the rows stay as they are. */
  readonly context?: Pick<PageContext, 'query' | 'here'>
  /** Id of its panel on a page with more than the table: it has an order of its own, and the page comes back to it. */
  readonly part?: string | undefined
  /** Rows of a page; absent: all are shown. */
  readonly size?: number
}

/** Parameter of the address with the order. */
const orderParameter = (part?: string): string => (part === undefined ? 'sort' : `sort-${part}`)
const hashOf = (part?: string): string => (part === undefined ? '' : `#${part}`)
const offsetParameter = (part?: string): string => (part === undefined ? 'offset' : `offset-${part}`)

/** Name of the column in the address: `last-end`. */
const orderName = (head: string): string => head.toLowerCase().replaceAll(/[^a-z]+/g, '-')

/** Column and direction of the address: `last-end`, or `-last-end` for downwards. */
function orderOf(
  query: URLSearchParams | undefined,
  parameter: string,
): { readonly name: string; readonly isDown: boolean } {
  const text = query?.get(parameter) ?? ''
  return { name: text.replace(/^-/, ''), isDown: text.startsWith('-') }
}

/** The rows in the order of the address. */
export function sorted<Row>({
  rows,
  columns,
  context,
  part,
}: Pick<TableProps<Row>, 'rows' | 'context' | 'part'> & { readonly columns: readonly Heading<Row>[] }): readonly Row[] {
  const { name, isDown } = orderOf(context?.query, orderParameter(part))
  const value = columns.find(({ head, sort }) => sort && orderName(head) === name)?.sort
  if (!value) return rows
  const direction = isDown ? -1 : 1
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one) ?? null, value(other) ?? null]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    const order = typeof a === 'number' && typeof b === 'number' ? a - b : compareText(String(a), String(b))
    return direction * order
  })
}

const { compare: compareText } = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

const classOf = ({ num, wide }: Pick<Column<never>, 'num' | 'wide'>): string | undefined =>
  [num && 'num', wide && 'wide'].filter(Boolean).join(' ') || undefined

/** The heading of a column; a link where the list can be sorted by it. */
export function ColumnHead<Row>({
  column,
  context,
  part,
  size,
}: Pick<TableProps<Row>, 'context' | 'part' | 'size'> & { readonly column: Heading<Row> }) {
  const { head, sort } = column
  const className = classOf(column)
  if (!sort || !context) {
    return (
      <th scope="col" class={className}>
        {head === '' ? <span class="sr">Actions</span> : head}
      </th>
    )
  }
  const name = orderName(head)
  const parameter = orderParameter(part)
  // Another order begins with its first rows; of a list that the API pages, the rows stay those of the page.
  const paging = size === undefined ? {} : { [offsetParameter(part)]: null }
  const { name: chosen, isDown } = orderOf(context.query, parameter)
  const isChosen = chosen === name
  const order = isChosen ? (isDown ? 'descending' : 'ascending') : 'none'
  return (
    <th scope="col" class={className} aria-sort={order}>
      <a
        class="sort"
        href={`${context.here({ ...paging, [parameter]: isChosen && !isDown ? `-${name}` : name })}${hashOf(part)}`}
      >
        {head}
        {isChosen && <span aria-hidden="true">{isDown ? ' ↓' : ' ↑'}</span>}
      </a>
    </th>
  )
}

/** The first cell is the title of a row's card on phones, the others `head: value`. */
export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, keyOf, rowClass = () => '', context, part, size } = props
  const ordered = sorted(props)
  const begin = context && size !== undefined ? offsetOf(context, part) : 0
  const shown = ordered.slice(begin, size === undefined ? undefined : begin + size)
  return (
    <>
      <table class="tbl">
        <caption class="sr">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <ColumnHead column={column} context={context} part={part} size={size} />
            ))}
          </tr>
        </thead>
        <tbody data-rows={caption}>
          {shown.map((row) => (
            <tr data-key={keyOf(row)} class={rowClass(row) || undefined}>
              {columns.map((column, n) =>
                n === 0 ? (
                  <td>{column.cell(row)}</td>
                ) : (
                  <td class={classOf(column)} data-t={column.head || undefined}>
                    <div class="cell">{column.cell(row)}</div>
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {context && size !== undefined && (
        <OffsetPager context={context} size={size} total={ordered.length} part={part} ordersAll />
      )}
    </>
  )
}

interface PagerProps {
  readonly context: PageContext
  readonly nextCursor: string | null
  /** The answer reached its time budget. */
  readonly partial?: boolean | undefined
  /** That of the table. */
  readonly part?: string
}

/** Pages go backwards in time by cursor; there are no page numbers and no totals. */
export const Pager: FC<PagerProps> = ({ context, nextCursor, partial = false, part }) => {
  const isFirst = !context.query.has('cursor')
  if (isFirst && nextCursor === null) return null
  return (
    <nav class="pager" aria-label="Pages">
      {!isFirst && (
        <a class="btn" href={context.here({ cursor: null })}>
          Newest
        </a>
      )}
      <SortedNote context={context} part={part} />
      {partial && nextCursor !== null && <span class="muted">Not everything has been looked at yet.</span>}
      {nextCursor !== null && (
        <a class="btn" rel="next" href={context.here({ cursor: nextCursor })}>
          {partial ? 'Look further back' : 'Older'}
          <Icon name="right" />
        </a>
      )}
    </nav>
  )
}

const SortedNote: FC<{ readonly context: Pick<PageContext, 'query'>; readonly part: string | undefined }> = ({
  context,
  part,
}) => (context.query.has(orderParameter(part)) ? <span class="muted">Sorted: the rows of this page.</span> : null)

/** Where the page begins that the address asks for, of a list that the API or the page counts. */
export const offsetOf = ({ query }: Pick<PageContext, 'query'>, part?: string): number =>
  Number(/^\d{1,7}$/.exec(query.get(offsetParameter(part)) ?? '')?.[0] ?? 0)

interface OffsetPagerProps {
  readonly context: Pick<PageContext, 'query' | 'here'>
  /** Rows of a page. */
  readonly size: number
  /** Rows of the list. */
  readonly total: number
  /** That of the table. */
  readonly part?: string | undefined
  /** The order is that of the whole list, not of the rows of a page. */
  readonly ordersAll?: boolean
  /** The directions. */
  readonly words?: readonly [before: string, next: string]
}

/** Pages of a list whose rows are counted. */
export const OffsetPager: FC<OffsetPagerProps> = ({
  context,
  size,
  total,
  part,
  ordersAll = false,
  words: [before, next] = ['Before', 'Next'],
}) => {
  const offset = offsetOf(context, part)
  const at = (begin: number | null) => `${context.here({ [offsetParameter(part)]: begin })}${hashOf(part)}`
  const end = Math.min(offset + size, total)
  if (offset === 0 && end === total) return null
  return (
    <nav class="pager" aria-label="Pages">
      {offset > 0 && (
        <a class="btn" rel="prev" href={at(Math.max(0, offset - size) || null)}>
          <Icon name="left" />
          {before}
        </a>
      )}
      {!ordersAll && <SortedNote context={context} part={part} />}
      <span class="muted">{offset < total ? `${offset + 1} to ${end} of ${total}` : `None after ${total}`}</span>
      {end < total && (
        <a class="btn" rel="next" href={at(end)}>
          {next}
          <Icon name="right" />
        </a>
      )}
    </nav>
  )
}

/** In the place of a list that is empty: what it is for, and how one gets something into it. */
export const Empty: FC<
  PropsWithChildren<{ readonly title: string; readonly yaml?: string; readonly icon?: IconName }>
> = ({ title, yaml, icon = 'ok', children }) => (
  <div class="empty">
    <Icon name={icon} class="muted" />
    <div>
      <p class="lead">{title}</p>
      {children && <div class="sub">{children}</div>}
      {yaml && <CopyText text={yaml} />}
    </div>
  </div>
)

interface SwitchedOffProps {
  readonly title: string
  readonly yaml: string
  /** Address of the page that switches it on while Footman runs; absent: only the file does. */
  readonly features?: string
}

/** In the place of a feature that is switched off: the page and the lines of the configuration that switch it on. */
export const SwitchedOff: FC<PropsWithChildren<SwitchedOffProps>> = ({ title, yaml, features, children }) => (
  <Empty title={title} yaml={yaml} icon="no">
    {children} To switch this on,{' '}
    {features && (
      <>
        open <a href={features}>System &gt; Features</a>, or{' '}
      </>
    )}
    add these lines to the configuration file and start Footman again:
  </Empty>
)

/** Text to copy: lines of a configuration, a command. */
export const CopyText: FC<{ readonly text: string; readonly label?: string }> = ({ text, label = 'Copy' }) => (
  <div class="copy">
    <pre tabindex={0}>
      <code>{text}</code>
    </pre>
    <button type="button" class="btn s" data-copy={text} hidden>
      {label}
    </button>
  </div>
)

/** A part of a page whose call failed; the rest of the page stays. */
export const ErrorBox: FC<{ readonly failure: Failure; readonly what?: string; readonly retry?: string }> = ({
  failure: { error, details, requestId, issues, status },
  what,
  retry,
}) => (
  <div class="error" role="status">
    <p>
      <Icon name="failed" class="bad" /> <b>{what ? `${what}: ${error}` : error}</b>
    </p>
    {details && <p>{details}</p>}
    {issues.length > 0 && (
      <ul>
        {issues.map(({ path, message }) => (
          <li>
            <code>{path}</code> {message}
          </li>
        ))}
      </ul>
    )}
    <p class="small muted">
      Status {status}
      {requestId && (
        <>
          , request <code>{requestId}</code>
        </>
      )}
      {retry && (
        <>
          . <a href={retry}>Try again</a>
        </>
      )}
    </p>
  </div>
)

/** The answer of a call, or the box with its error. */
export function part<T>(asked: Asked<T>, show: (data: T) => Child, what?: string): Child {
  return asked.ok ? show(asked.data) : <ErrorBox failure={asked} {...(what && { what })} />
}

/** Facts in pairs, as the detail of a page or an item shows them. */
export const Facts: FC<{ readonly facts: readonly (readonly [term: string, value: Child] | null | false)[] }> = ({
  facts,
}) => (
  <dl class="kv">
    {facts.map(
      (fact) =>
        fact && (
          <>
            <dt>{fact[0]}</dt>
            <dd>{fact[1]}</dd>
          </>
        ),
    )}
  </dl>
)

/** Links of which one is chosen: a switch of the page that stands in its address. */
export const Choice: FC<{
  readonly label: string
  readonly options: readonly { readonly text: Child; readonly href: string; readonly chosen: boolean }[]
  readonly small?: boolean
}> = ({ label, options, small = false }) => (
  <nav class={small ? 'seg s' : 'seg'} aria-label={label}>
    {options.map(({ text, href, chosen }) => (
      <a href={href} aria-current={chosen ? 'true' : undefined}>
        {text}
      </a>
    ))}
  </nav>
)
