/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Search as a page, for readers without JavaScript and for links. */
import type { Page } from '../../page.ts'
import { Badge } from '../../ui/marks.tsx'
import { Empty, Head, Panel, part } from '../../ui/panel.tsx'
import { Name } from '../../ui/text.tsx'

interface Answer {
  readonly groups: readonly {
    readonly kind: string
    readonly items: readonly {
      readonly title: string
      readonly detail: string
      readonly path: string
      readonly state: string | null
    }[]
  }[]
  readonly exact: { readonly kind: string; readonly path: string } | null
  readonly partial: boolean
}

export const searchPage: Page = {
  path: '/search',
  place: 'now',
  async render(context) {
    const q = (context.query.get('q') ?? '').trim()
    const answer = q.length < 2 ? null : await context.ask.get<Answer>('/v4/search', { q, limit: 50 })
    return {
      title: 'Search',
      ...(answer && !answer.ok ? { status: answer.status } : {}),
      body: (
        <>
          <Head title="Search" />
          <form method="get" action={context.link('/search')} class="filters">
            <label class="field grow">
              <span>Part of a name, or an id</span>
              <input type="search" name="q" value={q} minlength={2} maxlength={200} required autocomplete="off" />
            </label>
            <button type="submit" class="btn primary">
              Search
            </button>
          </form>
          <div class="stack">
            {answer &&
              part(answer, ({ groups, exact, partial }) => (
                <>
                  {exact && (
                    <p class="lead">
                      This is the id of <a href={context.link(exact.path)}>this {exact.kind}</a>.
                    </p>
                  )}
                  {groups.length === 0 && !exact && (
                    <Empty title="Nothing found" icon="search">
                      All words have to stand in the name.
                    </Empty>
                  )}
                  {groups.map(({ kind, items }, n) => (
                    <Panel id={`group-${n}`} title={kind} count={items.length}>
                      <ul class="list body found">
                        {items.map(({ title, detail, path, state }) => (
                          <li>
                            <a href={context.link(path)}>
                              <Name text={title} />
                            </a>
                            {state && <Badge text={state} />}
                            <span class="sub">
                              <Name text={detail} />
                            </span>
                          </li>
                        ))}
                      </ul>
                    </Panel>
                  ))}
                  {partial && <p class="muted">Older events were not looked at.</p>}
                </>
              ))}
          </div>
        </>
      ),
    }
  },
}
