/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Search as a page, for readers without JavaScript and for links. */
import { type Findings, SEARCH } from '../../contract.ts'
import { type Page, type PageContext, PLACES, placesFor } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Badge } from '../../ui/marks.tsx'
import { Empty, Head, Panel, part } from '../../ui/panel.tsx'
import { Name } from '../../ui/text.tsx'

/** The commands of the palette work here, too: `> start sales` finds the tasks that can be started, others are offered as links. */
function readQuery(q: string): { readonly words: string; readonly isStart: boolean; readonly command: string | null } {
  const [, task] = /^>\s*start\s(.+)/i.exec(q) ?? []
  if (task !== undefined) return { words: task.trim(), isStart: true, command: null }
  const command = q.startsWith('>') ? q.slice(1).trim().toLowerCase() : null
  return { words: q, isStart: false, command }
}

export const searchPage: Page = {
  path: '/search',
  place: 'now',
  async render(context) {
    const q = (context.query.get('q') ?? '').trim()
    const { words, isStart, command } = readQuery(q)
    const query = { q: words, limit: 50, kind: isStart ? 'Tasks' : undefined }
    const isShort = words.length < (isStart ? 1 : 2)
    const answer = isShort || command !== null ? null : await context.ask(SEARCH, { query })
    return {
      title: 'Search',
      ...(answer && !answer.ok ? { status: answer.status } : {}),
      body: (
        <>
          <Head title="Search" />
          <form method="get" action={context.link('/search')} class="filters">
            <label class="field grow">
              <span>Part of a name, an id or its first digits, or a command after &gt;</span>
              <input type="search" name="q" value={q} minlength={2} maxlength={200} required autocomplete="off" />
            </label>
            <button type="submit" class="btn primary">
              Search
            </button>
          </form>
          <div class="stack">
            {command !== null && <Commands context={context} command={command} />}
            {answer && part(answer, (found) => <Found context={context} {...found} isStart={isStart} />)}
          </div>
        </>
      ),
    }
  },
}

/** The commands of the palette, without JavaScript. */
const Commands = ({ context, command }: { readonly context: PageContext; readonly command: string }) => {
  const offered = [
    ...placesFor(context.may).map((name) => {
      const { title, path } = PLACES[name]
      const text = `go ${title.toLowerCase()}`
      return { text, link: <a href={context.link(path)}>{text}</a> }
    }),
    {
      text: 'snooze',
      link: (
        <ActionLink context={context} operation="snooze.set" scope="event:run" values={{}}>
          Snooze…
        </ActionLink>
      ),
    },
  ]
  const fitting = offered.filter(({ text }) => text.includes(command))
  return (
    <Panel id="commands" title="Commands">
      <ul class="body stack">
        {(fitting.length > 0 ? fitting : offered).map(({ link }) => (
          <li>{link}</li>
        ))}
        <li>
          <code>&gt; start</code> and words of a name find a task to start; colours are in the menu of your name.
        </li>
      </ul>
    </Panel>
  )
}

interface FoundProps extends Findings {
  readonly context: PageContext
  /** Only tasks, each with a button. */
  readonly isStart: boolean
}

const Found = ({ context, groups, exact, partial, isStart }: FoundProps) => {
  return (
    <>
      {exact && (
        <p class="lead">
          This is the id of <a href={context.link(exact.path)}>this {exact.kind}</a>.
        </p>
      )}
      {groups.length === 0 && !exact && (
        <Empty title="Nothing found" icon="search">
          All words have to stand in the name or its details.
        </Empty>
      )}
      {groups.map(({ kind, items }, n) => (
        <Panel id={`group-${n}`} title={kind} count={items.length}>
          <ul class="list body found">
            {items.map(({ id, title, detail, path, state, matched: { field, text } }) => (
              <li>
                <a href={context.link(path)}>
                  <Name text={title} />
                </a>
                {state && <Badge text={state} />}
                {isStart && (
                  <ActionLink context={context} operation="task.start" scope="task:run" values={{ taskId: id }}>
                    Start…
                  </ActionLink>
                )}
                <span class="sub">
                  <Name text={text === '' ? detail : `${field}: ${text}`} />
                </span>
              </li>
            ))}
          </ul>
        </Panel>
      ))}
      {partial && <p class="muted">Older events, or the rest of a long list, were not looked at.</p>}
    </>
  )
}
