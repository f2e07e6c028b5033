/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Shared by the pages of the hub: frame, names from outside, times. The pages need no script. */
import type { Child, FC, PropsWithChildren } from 'hono/jsx'
import { HtmlPage, Name, pageText } from '../../platform/html-page.tsx'
import type { Reader } from './login.ts'

/** Needed by every page. */
export interface PageContext {
  /** Path of the hub for the browser: `/footman/hub`. */
  readonly root: string
  readonly stylesheet: string
  readonly timezone: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** Null on pages before the login and behind signed links. */
  readonly reader: Reader | null
}

const ICONS = {
  logo: <path d="M3 13.5V2.5h9.5M3 8h6.5" stroke-width="2.25" />,
  search: (
    <>
      <circle cx="7" cy="7" r="4.25" />
      <path d="M10.2 10.2L13.5 13.5" />
    </>
  ),
  down: <path d="M4.5 6.5L8 10l3.5-3.5" />,
  left: <path d="M9.5 4.5L6 8l3.5 3.5" />,
  no: <path d="M5 5l6 6M11 5l-6 6" />,
  get: <path d="M8 2.5v8M4.8 7.5L8 10.7l3.2-3.2M3 13.5h10" />,
} as const

export const Icon: FC<{ readonly name: keyof typeof ICONS }> = ({ name }) => (
  <svg class="i" viewBox="0 0 16 16" aria-hidden="true">
    {ICONS[name]}
  </svg>
)

const Frame: FC<PropsWithChildren<{ readonly context: PageContext; readonly title: string }>> = ({
  context: { root, stylesheet, reader },
  title,
  children,
}) => (
  <HtmlPage
    title={title}
    icon="data:,"
    stylesheet={`${root}/assets/${stylesheet}`}
    head={<meta name="robots" content="noindex" />}
  >
    <a class="skip" href="#main">
      Skip to the content
    </a>
    <header class="bar">
      <div class="top">
        <a class="brand" href={root}>
          <Icon name="logo" />
          Reports
        </a>
        {reader && <Profile root={root} reader={reader} />}
      </div>
    </header>
    <main id="main">{children}</main>
  </HtmlPage>
)

const Profile: FC<{ readonly root: string; readonly reader: Reader }> = ({ root, reader: { name, session } }) =>
  session === null ? (
    <span class="push who">
      <Name text={name} />
    </span>
  ) : (
    <details class="menu push">
      <summary class="btn who">
        <Name text={name} />
        <Icon name="down" />
      </summary>
      <div class="box">
        <form method="post" action={`${root}/logout`}>
          <button type="submit">Sign out</button>
        </form>
        <form method="post" action={`${root}/logout?all=1`}>
          <button type="submit">Sign out everywhere</button>
        </form>
      </div>
    </details>
  )

export const pageOf = (context: PageContext, title: string, content: Child): string =>
  pageText(
    <Frame context={context} title={title}>
      {content}
    </Frame>,
  )

/** A page with a heading and a text: not found, no access. */
export function messagePage(context: PageContext, title: string, text: string): string {
  const content = (
    <Card title={title}>
      <p>{text}</p>
      <p>
        <a class="link" href={context.root}>
          Show your reports
        </a>
      </p>
    </Card>
  )
  return pageOf(context, title, content)
}

export const Card: FC<PropsWithChildren<{ readonly title: string }>> = ({ title, children }) => (
  <section class="panel card">
    <h1>{title}</h1>
    {children}
  </section>
)

// --- Times ---

const DAY_MS = 86_400_000

/** `06:30` in the groups of the last two days, else `Fri 20 Nov 07:12`; `full` always with the day. */
export const Time: FC<{ readonly at: number; readonly context: PageContext; readonly full?: boolean }> = ({
  at,
  context,
  full = false,
}) => {
  const { timezone } = context
  const isRecent = daysAgo(at, context) <= 1
  const text = isRecent && !full ? clockTime(at, timezone) : `${dayText(at, context)} ${clockTime(at, timezone)}`
  return (
    <time datetime={new Date(at).toISOString()} title={`${timezone}`}>
      {text}
    </time>
  )
}

export function dayText(at: number, { timezone: timeZone, now }: PageContext): string {
  const isNear = Math.abs(now - at) < 180 * DAY_MS
  const year = isNear ? {} : { year: 'numeric' as const }
  const parts = { timeZone, weekday: 'short', day: 'numeric', month: 'short', ...year } as const
  return new Intl.DateTimeFormat('en-GB', parts).format(at).replace(',', '')
}

const clockTime = (at: number, timeZone: string): string =>
  new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }).format(at)

/** Calendar days in the zone, 0 = today. */
export function daysAgo(at: number, { timezone: timeZone, now }: PageContext): number {
  const day = (time: number) =>
    Date.parse(
      new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(time),
    )
  return Math.round((day(now) - day(at)) / DAY_MS)
}
