/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The frame of every page: navigation, state of Footman, messages; and pages without a sign-in. */
import type { Child, FC, PropsWithChildren } from 'hono/jsx'
import { HtmlPage, pageText } from '../platform/html-page.tsx'
import { assetPath } from './assets.ts'
import { type PageContent, type PageContext, PLACES, type Place, placesFor } from './page.ts'
import { FormFields } from './ui/forms.tsx'
import { Icon, SpriteContext } from './ui/marks.tsx'
import { clockText, Name } from './ui/text.tsx'

export interface FrameState {
  readonly place: Place
  /** The result of the last action. */
  readonly flash: string | null
  /** Open items of severity warning and above; null = not known. */
  readonly attention: number | null
  readonly selfAlerts: number | null
  /** `light`, `dark`, or '' = as the system has it. */
  readonly theme: string
  /** Position of the stream before the data of the page were read. */
  readonly position: number | null
  /** The actions of the page as calls of the API; rendered after the page. */
  readonly calls: Child
  /** Lines above the content: what limits Footman or this page at the moment. */
  readonly banners: readonly Child[]
}

interface ShellProps {
  /** Path of the console or the hub for the browser: styles, scripts and icons lie below it. */
  readonly root: string
  /** That of the window. */
  readonly title: string
  readonly theme?: string
  readonly scripts?: readonly string[]
  /** Attributes of the body. */
  readonly data?: Readonly<Record<string, string | undefined>>
}

export const Shell: FC<PropsWithChildren<ShellProps>> = ({
  root,
  title,
  theme = '',
  scripts = [],
  data = {},
  children,
}) => (
  <HtmlPage
    title={title}
    icon="data:,"
    stylesheet={root + assetPath('console.css')}
    theme={theme}
    body={{ 'data-root': root, ...data }}
    head={
      <>
        <meta name="robots" content="noindex" />
        {scripts.map((name) => (
          <script type="module" src={root + assetPath(name)} />
        ))}
      </>
    }
  >
    <SpriteContext.Provider value={root + assetPath('icons.svg')}>{children}</SpriteContext.Provider>
  </HtmlPage>
)

/** A whole page as HTML. */
export function framed(context: PageContext, content: PageContent, state: FrameState): string {
  const { root, settings, visitor, now } = context
  const live = content.live ?? []
  const data = {
    'data-timezone': settings.timezone,
    'data-worker': root + assetPath('live.js'),
    'data-position': state.position === null ? undefined : String(state.position),
    'data-actor': visitor.session ? visitor.caller.actor : undefined,
    'data-may': ['task:run', 'event:run'].filter((scope) => context.may(scope)).join(' ') || undefined,
    'data-live': live.join(' ') || undefined,
  }
  return pageText(
    <Shell
      root={root}
      title={`${content.title} – Footman`}
      theme={state.theme}
      scripts={['frame.js', ...(content.scripts ?? [])]}
      data={data}
    >
      <SkipLink />
      <header class="top">
        <details class="menu nav">
          <summary class="btn icon quiet" aria-label="Menu">
            <Icon name="menu" />
          </summary>
          <div class="box">
            <Places context={context} state={state} label="All places" />
            <Search context={context} />
          </div>
        </details>
        <Brand href={context.link('/')} name="Footman" />
        <Places context={context} state={state} label="Places" />
        <Search context={context} />
        <div class="status">
          {state.selfAlerts ? (
            <a class="warn opt" href={context.link('/system')}>
              <Icon name="self" />
              {state.selfAlerts} self-alert{state.selfAlerts === 1 ? '' : 's'}
            </a>
          ) : null}
          <span class="opt2 nowrap" title="Time and zone of the site">
            <span data-clock>{clockText(now, settings.timezone)}</span> {settings.timezone}
          </span>
          <span class="live" data-status={live.length > 0 ? 'off' : undefined} hidden={live.length === 0}>
            <svg class="dot" viewBox="0 0 8 8" aria-hidden="true">
              <circle cx="4" cy="4" r="4" />
            </svg>
            <span data-status-text>As of {clockText(now, settings.timezone, true)}</span>
          </span>
          <Profile context={context} theme={state.theme} />
        </div>
      </header>
      {state.banners.map((banner) => (
        <p class="banner" role="status">
          {banner}
        </p>
      ))}
      <main id="main" tabindex={-1}>
        {state.flash && (
          <p class="flash" role="status">
            <Icon name="ok" class="ok" />
            <Name text={state.flash} />
          </p>
        )}
        <div id="new-bar" role="status" />
        {content.body}
      </main>
      <footer class="foot">
        Footman {settings.version}
        {visitor.session && <> · signed in as {visitor.caller.actor}</>} ·{' '}
        <a href={context.link('/system/about')}>About</a>
        {state.calls}
      </footer>
    </Shell>,
  )
}

const Places: FC<{ readonly context: PageContext; readonly state: FrameState; readonly label: string }> = ({
  context,
  state: { place, attention },
  label,
}) => (
  <nav class="places" aria-label={label}>
    {placesFor(context.may).map((name) => (
      <a href={context.link(PLACES[name].path)} aria-current={name === place ? 'page' : undefined}>
        {PLACES[name].title}
        {name === 'now' && attention ? (
          <span class="count" title={`${attention} open items`}>
            {attention}
          </span>
        ) : null}
      </a>
    ))}
  </nav>
)

const Search: FC<{ readonly context: PageContext }> = ({ context }) => (
  <form class="search" action={context.link('/search')} data-palette>
    <Icon name="search" />
    <input
      type="search"
      name="q"
      placeholder="Search"
      aria-label="Search tasks, events, schedules"
      autocomplete="off"
    />
    <kbd>Ctrl K</kbd>
  </form>
)

const THEMES = [
  ['', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const

const Profile: FC<{ readonly context: PageContext; readonly theme: string }> = ({ context, theme }) => (
  <details class="menu who push">
    <summary class="btn quiet">
      <Name text={context.visitor.session ? context.visitor.caller.actor : 'this machine'} />
      <Icon name="down" />
    </summary>
    <div class="box">
      <form method="post" action={context.link('/theme')} class="themes">
        <FormFields context={context} />
        <span class="muted small">Colours</span>
        {THEMES.map(([value, text]) => (
          <button
            type="submit"
            name="theme"
            value={value}
            class="btn s"
            aria-pressed={value === theme ? 'true' : 'false'}
          >
            {text}
          </button>
        ))}
      </form>
      <button type="button" class="btn s" data-my-time hidden>
        Show times in my zone
      </button>
      <button type="button" class="btn s" data-shortcuts hidden>
        Keyboard shortcuts
      </button>
      {context.visitor.session && (
        <>
          <a href={context.link('/system/sessions')}>Sessions</a>
          <form method="post" action={context.link('/logout')}>
            <FormFields context={context} />
            <button type="submit" class="btn s">
              Sign out
            </button>
          </form>
        </>
      )}
    </div>
  </details>
)

interface OutsideProps {
  readonly root: string
  readonly title: string
  readonly theme?: string
}

/** A page without a sign-in: the sign-in itself, an expired link, no access. */
export const outside = ({ root, title, theme = '' }: OutsideProps, content: Child): string =>
  pageText(
    <Shell root={root} title={`${title} – Footman`} theme={theme} scripts={['frame.js']}>
      <header class="top">
        <Brand href={`${root}/`} name="Footman" />
      </header>
      <main id="main" class="narrow">
        <Card title={title}>{content}</Card>
      </main>
    </Shell>,
  )

export const SkipLink: FC = () => (
  <a class="skip" href="#main">
    Skip to the content
  </a>
)

export const Brand: FC<{ readonly href: string; readonly name: string }> = ({ href, name }) => (
  <a class="brand" href={href}>
    <Icon name="logo" />
    {name}
  </a>
)

/** The panel of a page that has nothing else. */
export const Card: FC<PropsWithChildren<{ readonly title: string }>> = ({ title, children }) => (
  <section class="panel">
    <header>
      <h1>{title}</h1>
    </header>
    <div class="body stack">{children}</div>
  </section>
)
