/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Alert rules in the order of their evaluation, with the tester. */
import { ALERT_RULES, type AlertRule, EXPLAIN } from '../../../alerts/rules/contract.ts'
import { refusal } from '../../../http/errors.ts'
import type { Setting } from '../../../settings/contract.ts'
import { callOf, type Operation } from '../../forms.tsx'
import type { Page, PageContent, PageContext } from '../../page.ts'
import { type Members, membersOfJson } from '../../schema-form/fields.ts'
import { moveSetting, putSetting } from '../../setting-calls.ts'
import { EDITOR_PATH } from '../../setting-kinds.ts'
import { FormFields } from '../../ui/forms.tsx'
import { Icon, Mark } from '../../ui/marks.tsx'
import { Empty, Head, Panel, part, Table } from '../../ui/panel.tsx'
import {
  askSettings,
  EditSetting,
  NewSetting,
  SettingButtons,
  SettingState,
  Source,
  whyNot,
} from '../../ui/settings.tsx'
import { counted, Name, Time } from '../../ui/text.tsx'
import { Places } from './places.tsx'
import { ruleText } from './rule-words.ts'
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
  const [routes, tested, stored] = await Promise.all([
    context.ask(ALERT_RULES, { query: { hits: '7d' } }),
    question && context.ask(EXPLAIN, { body: question, withinMs: 10_000 }),
    context.may('setting:read') ? askSettings(context, 'rule') : null,
  ])
  const { settings, locked } = stored?.ok ? stored.data : { settings: [], locked: null }
  const unused = settings.filter(({ state }) => state !== 'used')
  return {
    title: 'Alert rules',
    place: 'delivery',
    body: (
      <>
        <Head title="Alert rules" beside={<Places context={{ ...context, path: PATH }} />}>
          <NewSetting context={context} kind="rule" locked={locked} text="New rule" />
        </Head>
        <div class="stack spaced">
          <Panel id="routes" title="Rules in order">
            {part(routes, ({ alertRoutes }) => (
              <List context={context} routes={alertRoutes} settings={settings} locked={locked} />
            ))}
          </Panel>
          {unused.length > 0 && (
            <Panel id="unused" title="Rules that are not used" count={unused.length}>
              <ul class="list body">
                {unused.map((setting) => (
                  <li>
                    <a href={context.link(EDITOR_PATH, { kind: 'rule', name: setting.name })}>
                      <Name text={setting.name} />
                    </a>
                    {setting.state === 'hidden' ? <Source setting={setting} /> : <SettingState setting={setting} />}
                  </li>
                ))}
              </ul>
            </Panel>
          )}
          <Tester context={context} form={form} tested={tested} />
        </div>
      </>
    ),
  }
}

interface ListProps {
  readonly context: PageContext
  readonly routes: readonly AlertRule[]
  /** Those of `alertRoutes`, of the file and stored; empty for a visitor who may not see them. */
  readonly settings: readonly Setting[]
  /** Why nothing may be changed. */
  readonly locked: string | null
}

const List = (props: ListProps) => {
  const { routes } = props
  if (routes.length === 0) {
    return <Empty title="No rules">A rule says which events go to which destination.</Empty>
  }
  const [on, off] = [routes.filter(({ enable }) => enable), routes.filter(({ enable }) => !enable)]
  return (
    <>
      <Rows {...props} caption="Alert rules in the order of their evaluation" routes={on} />
      {off.length > 0 && (
        <details class="fold" data-key="off">
          <summary class="small">
            <Icon name="right" class="turn" />
            {counted(off.length, 'rule')} that {off.length === 1 ? 'is' : 'are'} switched off
          </summary>
          <Rows {...props} caption="Rules that are switched off" routes={off} />
        </details>
      )}
    </>
  )
}

const Rows = ({ context, caption, routes, settings, locked }: ListProps & { readonly caption: string }) => {
  const own = new Map(settings.flatMap((one) => (one.state === 'used' ? [[one.name, one]] : [])))
  const order = settings.filter(({ source }) => source === 'console').map(({ name }) => name)
  return (
    <form method="post" action={context.link('/form/rule.change')} data-action>
      <FormFields context={context} />
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
              <>
                <b id={`route-${name}`}>
                  {own.has(name) ? (
                    <a class="plain" href={context.link(EDITOR_PATH, { kind: 'rule', name })}>
                      <Name text={name} />
                    </a>
                  ) : (
                    <Name text={name} />
                  )}
                </b>
                {own.has(name) && (
                  <p class="sub">
                    <Name text={ruleText(own.get(name)!.value as Members)} breaks />
                  </p>
                )}
              </>
            ),
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
            head: 'State',
            sort: (row) => Number(!row.enable),
            cell: ({ enable }) => (enable ? <Mark state="success" word="on" /> : <Mark state="skipped" word="off" />),
          },
          {
            head: 'From',
            wide: true,
            sort: (row) => own.get(row.name)?.source ?? row.origin,
            cell: ({ name, origin }) => <Origin origin={origin} setting={own.get(name)} />,
          },
          {
            head: 'Last fired',
            sort: (row) => row.lastHitAt,
            cell: ({ lastHitAt }) =>
              lastHitAt ? (
                <Time at={lastHitAt} zone={context} seconds={false} />
              ) : (
                <span class="muted">not in 7 days</span>
              ),
          },
          {
            head: 'Hits in 7 days',
            num: true,
            sort: (row) => row.hits ?? 0,
            cell: ({ name, hits = 0 }) =>
              hits === 0 ? 0 : <a href={context.link('/deliveries', { route: name, from: '7d' })}>{hits}</a>,
          },
          {
            head: '',
            cell: ({ name }) => {
              const setting = own.get(name)
              if (!setting) return null
              if (setting.source === 'file')
                return <SettingButtons context={context} setting={setting} locked={locked} />
              return <RuleButtons context={context} setting={setting} order={order} locked={locked} />
            },
          },
        ]}
      />
    </form>
  )
}

const Origin = ({ origin, setting }: Pick<AlertRule, 'origin'> & { readonly setting: Setting | undefined }) => {
  if (setting) return <Source setting={setting} />
  return origin === 'footman' ? 'alertRoutes' : 'notification section'
}

interface RuleButtonsProps {
  readonly context: PageContext
  readonly setting: Setting
  /** Names of the stored rules in their order. */
  readonly order: readonly string[]
  readonly locked: string | null
}

/** Buttons of the form that holds the whole list: forms of their own would be most of a page with hundreds of rules. */
const RuleButtons = ({ context, setting: { name, value, revision }, order, locked }: RuleButtonsProps) => {
  const at = order.indexOf(name)
  const off = whyNot(context, locked, 'rule', name, value)
  const isOn = (value as Members).enable !== false
  const button = (text: string, change: { readonly position: number } | { readonly value: unknown }) => (
    <button
      type="submit"
      class="btn s"
      name="change"
      value={JSON.stringify({ name, revision, ...change })}
      disabled={off !== null}
      title={off ?? undefined}
    >
      {text}
      <span class="sr"> {name}</span>
    </button>
  )
  return (
    <span class="tools">
      <EditSetting context={context} kind="rule" name={name} value={value} locked={locked} />
      {at > 0 && button('Up', { position: at - 1 })}
      {at < order.length - 1 && button('Down', { position: at + 1 })}
      {button(isOn ? 'Switch off' : 'Switch on', { value: { ...(value as Members), enable: !isOn } })}
    </span>
  )
}

/** Moves a rule, or switches it on or off. */
export const changeRule: Operation = {
  scope: 'setting:write',
  verb: 'Change the rule',
  call({ get }) {
    const { name, revision, position, value } = membersOfJson(get('change')) ?? {}
    // A form that this page has not made.
    if (typeof name !== 'string') throw refusal('VALIDATION', 'change: must name a rule')
    const rule = { kind: 'rule', name, revision: String(revision ?? '') } as const
    return typeof position === 'number' ? moveSetting(rule, position) : putSetting({ ...rule, value })
  },
  done: (answer) => `The rule ${(answer as Setting).name} is changed and in use.`,
}
