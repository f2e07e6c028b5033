/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The frame of the pages of readers: that of the console without its places. The pages need no script. */
import type { Child, FC } from 'hono/jsx'
import { pageText } from '../../platform/html-page.tsx'
import type { Reader } from '../../reports/hub/login.ts'
import { Brand, Card, Shell, SkipLink } from '../frame.tsx'
import { Icon } from '../ui/marks.tsx'
import { Name } from '../ui/text.tsx'

/** Needed by every page. */
export interface ReaderContext {
  /** Path of the hub for the browser: `/footman/hub`. */
  readonly root: string
  readonly timezone: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** Null on pages before the login and behind signed links. */
  readonly reader: Reader | null
}

const framed = ({ root, reader }: ReaderContext, title: string, main: Child): string =>
  pageText(
    <Shell root={root} title={title} data={{ class: 'reader' }}>
      <SkipLink />
      <header class="top">
        <Brand href={root} name="Reports" />
        {reader && <Profile root={root} reader={reader} />}
      </header>
      {main}
    </Shell>,
  )

const Profile: FC<{ readonly root: string; readonly reader: Reader }> = ({ root, reader: { name, session } }) =>
  session === null ? (
    <span class="who push">
      <Name text={name} />
    </span>
  ) : (
    <details class="menu who push">
      <summary class="btn quiet">
        <Name text={name} />
        <Icon name="down" />
      </summary>
      <div class="box">
        {['Sign out', 'Sign out everywhere'].map((text, n) => (
          <form method="post" action={`${root}/logout${n > 0 ? '?all=1' : ''}`}>
            <button type="submit" class="btn s">
              {text}
            </button>
          </form>
        ))}
      </div>
    </details>
  )

export const pageOf = (context: ReaderContext, title: string, content: Child): string =>
  framed(context, title, <main id="main">{content}</main>)

/** A page with one card: the login, not found, no access. `title`: that of the window, absent = that of the card. */
export const cardPage = (
  context: ReaderContext,
  { heading, title = heading }: { readonly heading: string; readonly title?: string },
  content: Child,
): string =>
  framed(
    context,
    title,
    <main id="main" class="narrow">
      <Card title={heading}>{content}</Card>
    </main>,
  )

/** A page with a heading and a text: not found, no access. */
export const messagePage = (context: ReaderContext, heading: string, text: string): string =>
  cardPage(
    context,
    { heading },
    <>
      <p>{text}</p>
      <p>
        <a class="btn" href={context.root}>
          Show your reports
        </a>
      </p>
    </>,
  )
