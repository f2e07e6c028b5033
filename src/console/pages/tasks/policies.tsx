/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Policies of tasks in their order: the first that covers a task counts. */
import { matchedIds } from '../../../alerts/match-text.ts'
import { SETTING_TESTS, type Setting, type SettingTestOf } from '../../../settings/contract.ts'
import { type Names, qlikNamesOf } from '../../names.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionButton } from '../../ui/forms.tsx'
import { Empty, Head, Panel, part, Table } from '../../ui/panel.tsx'
import { membersOf } from '../../ui/setting-words.ts'
import {
  askSettings,
  NewSetting,
  SettingButtons,
  type SettingList,
  SettingState,
  Source,
  whyNot,
} from '../../ui/settings.tsx'
import { counted, Name } from '../../ui/text.tsx'
import { policyText } from './policy-words.ts'

export const policiesPage: Page = {
  path: '/tasks/policies',
  place: 'tasks',
  scope: 'setting:read',
  async render(context) {
    const [policies, tests] = await Promise.all([
      askSettings(context, 'policy'),
      context.may('task:read') ? context.ask(SETTING_TESTS, { query: { kind: 'policy' } }) : null,
    ])
    const settings = policies.ok ? policies.data.settings : []
    const matches = settings.flatMap(({ value }) => [membersOf(value).match ?? []].flat().map(membersOf))
    const names = await qlikNamesOf(context, matchedIds(matches))
    const found = tests?.ok ? tests.data.tests : []
    return {
      title: 'Policies',
      ...(policies.ok ? {} : { status: policies.status }),
      body: (
        <>
          <Head title="Policies" crumbs={[{ href: context.link('/tasks'), text: 'Tasks' }]}>
            <NewSetting
              context={context}
              kind="policy"
              locked={policies.ok ? policies.data.locked : null}
              text="New policy"
            />
          </Head>
          <p class="sub">
            When tasks are started again, and when they count as late or stuck. The first policy that covers a task
            counts; a custom property of the task wins.
          </p>
          {part(policies, (list) => (
            <Policies
              context={context}
              list={list}
              names={names}
              covered={new Map(found.map((one) => [one.name, one.found as SettingTestOf<'policy'>]))}
            />
          ))}
        </>
      ),
    }
  },
}

const EXAMPLE = `Butler:
  footman:
    taskPolicies:
      - name: finance
        match: { stream: Finance }
        retry: 3x/5m
        watch: { stuck: 2h, dueBy: '07:30' }`

interface PoliciesProps {
  readonly context: PageContext
  readonly list: SettingList
  readonly names: Names
  readonly covered: ReadonlyMap<string, SettingTestOf<'policy'>>
}

const Policies = ({ context, list: { settings, locked }, names, covered }: PoliciesProps) => {
  if (settings.length === 0) {
    return (
      <Empty title="There are no policies yet" yaml={EXAMPLE} icon="planned">
        Retries and limits of tasks come from their custom properties only. A policy has them for many tasks.
      </Empty>
    )
  }
  const stored = settings.filter(({ source }) => source === 'console')
  return (
    <Panel id="policies" title="Policies" count={settings.length}>
      <Table
        context={context}
        caption="Policies of tasks, in their order"
        part="policies"
        rows={settings}
        keyOf={({ source, name }) => `${source}/${name}`}
        columns={[
          {
            head: 'Policy',
            cell: (setting) => (
              <>
                <b>
                  <Name text={setting.name} />
                </b>{' '}
                <SettingState setting={setting} />
              </>
            ),
          },
          { head: 'Does', cell: ({ value }) => <Name text={policyText(value, names)} /> },
          {
            head: 'Covers',
            cell: ({ name, state }) => {
              const found = state === 'used' ? covered.get(name) : undefined
              return found ? <Covered context={context} found={found} /> : <span class="muted">–</span>
            },
          },
          { head: 'From', cell: (setting) => <Source setting={setting} /> },
          {
            head: 'Order',
            cell: (setting) =>
              setting.source === 'console' && (
                <Moves
                  context={context}
                  setting={setting}
                  at={stored.indexOf(setting)}
                  last={stored.length - 1}
                  off={whyNot(context, locked, 'policy', setting.name, setting.value)}
                />
              ),
          },
          {
            head: '',
            cell: (setting) => <SettingButtons context={context} setting={setting} locked={locked} />,
          },
        ]}
      />
    </Panel>
  )
}

const Covered = ({ context, found }: { readonly context: PageContext; readonly found: SettingTestOf<'policy'> }) => {
  const { tasks, first, stale } = found
  const text = `${counted(tasks, 'task')}${stale ? ', as last known' : ''}`
  if (first.length === 0) return <>{text}</>
  return (
    <details>
      <summary class="nowrap">{text}</summary>
      {first.map(({ id, name, app }) => (
        <p>
          <a href={context.link(`/tasks/${id}`)}>
            <Name text={name} />
          </a>
          {app !== null && (
            <span class="muted">
              {' '}
              <Name text={app} />
            </span>
          )}
        </p>
      ))}
      {tasks > first.length && <p class="sub">and {tasks - first.length} more</p>}
    </details>
  )
}

interface MovesProps {
  readonly context: PageContext
  readonly setting: Setting
  /** Its place among the stored ones. */
  readonly at: number
  readonly last: number
  readonly off: string | null
}

const Moves = ({ context, setting: { name, revision }, at, last, off }: MovesProps) => {
  const move = (position: number, text: string, end: string) => (
    <ActionButton
      context={context}
      operation="setting.move"
      scope="setting:write"
      values={{ kind: 'policy', name, revision, position }}
      off={off ?? (position < 0 || position > last ? end : null)}
      harmless
    >
      {text}
    </ActionButton>
  )
  return (
    <span class="tools">
      {move(at - 1, 'Up', 'It is the first of those that can be moved')}
      {move(at + 1, 'Down', 'It is the last')}
    </span>
  )
}
