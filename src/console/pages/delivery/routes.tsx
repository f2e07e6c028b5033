/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Alert rules in the order of their evaluation, with the tester. */
import { ALERT_RULES, type AlertRule, EXPLAIN } from '../../../alerts/rules/contract.ts'
import { callOf, type Operation } from '../../forms.tsx'
import type { Page, PageContent, PageContext } from '../../page.ts'
import { Icon, Mark } from '../../ui/marks.tsx'
import { Empty, Head, Panel, part, Table } from '../../ui/panel.tsx'
import { counted, Name } from '../../ui/text.tsx'
import { Places } from './places.tsx'
import { questionOf, Tester } from './tester.tsx'

const PATH = '/system/routes'

export const routeList: Page = {
  path: PATH,
  place: 'delivery',
  scope: 'event:read',
  render: (context) => routesPage(context, context.query),
}

/** A posted question: it changes nothing, but a draft and a datagram are too long for an address, and private. */
export const explainRoutes: Operation = {
  scope: 'event:read',
  verb: 'Which rules fire?',
  call({ form }) {
    const body = questionOf(form)
    return body ? callOf(EXPLAIN, { body }) : callOf(ALERT_RULES)
  },
  isQuestion: true,
  page: (form, context) => routesPage(context, form),
  done: () => '',
}

async function routesPage(context: PageContext, form: URLSearchParams): Promise<PageContent> {
  const question = questionOf(form)
  const [routes, tested] = await Promise.all([
    context.ask(ALERT_RULES, { query: { hits: '7d' } }),
    question && context.ask(EXPLAIN, { body: question, withinMs: 10_000 }),
  ])
  return {
    title: 'Alert rules',
    place: 'delivery',
    body: (
      <>
        <Head title="Alert rules" beside={<Places context={{ ...context, path: PATH }} />} />
        <div class="stack spaced">
          <Tester context={context} form={form} tested={tested} />
          <Panel id="routes" title="Rules in order">
            {part(routes, ({ alertRoutes }) => (
              <List context={context} routes={alertRoutes} />
            ))}
          </Panel>
        </div>
      </>
    ),
  }
}

interface ListProps {
  readonly context: PageContext
  readonly routes: readonly AlertRule[]
}

const List = ({ context, routes }: ListProps) => {
  if (routes.length === 0) {
    return (
      <Empty title="No rules">
        Rules are written in <code>Butler.footman.alertRoutes</code>.
      </Empty>
    )
  }
  const [on, off] = [routes.filter(({ enable }) => enable), routes.filter(({ enable }) => !enable)]
  return (
    <>
      <Rows context={context} caption="Alert rules in the order of their evaluation" routes={on} />
      {off.length > 0 && (
        <details class="fold" data-key="off">
          <summary class="small">
            <Icon name="right" class="turn" />
            {counted(off.length, 'rule')} that {off.length === 1 ? 'is' : 'are'} switched off
          </summary>
          <Rows context={context} caption="Rules that are switched off" routes={off} />
        </details>
      )}
    </>
  )
}

const Rows = ({ context, caption, routes }: ListProps & { readonly caption: string }) => (
  <Table
    context={context}
    caption={caption}
    rows={routes}
    keyOf={({ name }) => name}
    columns={[
      {
        head: 'Rule',
        sort: (row) => row.name,
        cell: ({ name }) => (
          <b id={`route-${name}`}>
            <Name text={name} />
          </b>
        ),
      },
      {
        head: 'State',
        sort: (row) => Number(!row.enable),
        cell: ({ enable }) => (enable ? <Mark state="success" word="on" /> : <Mark state="skipped" word="off" />),
      },
      {
        head: 'From',
        sort: (row) => row.origin,
        cell: ({ origin }) => (origin === 'footman' ? 'alertRoutes' : 'notification section'),
      },
      {
        head: 'To',
        sort: (row) => row.to.join(', '),
        cell: ({ to }) =>
          to.map((name, n) => (
            <>
              {n > 0 && ', '}
              <a href={context.link(`/destinations/${encodeURIComponent(name)}`)}>
                <Name text={name} />
              </a>
            </>
          )),
      },
      {
        head: 'Hits in 7 days',
        num: true,
        sort: (row) => row.hits ?? 0,
        cell: ({ name, hits = 0 }) =>
          hits === 0 ? 0 : <a href={context.link('/deliveries', { route: name, from: '7d' })}>{hits}</a>,
      },
    ]}
  />
)
