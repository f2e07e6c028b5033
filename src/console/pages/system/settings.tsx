/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Settings of the file and of the store, and every change of them with its undo. */
import { stringify } from 'yaml'
import {
  DELETE_SETTING,
  RESTORE_SETTING,
  SETTING,
  SETTING_CHANGES,
  SETTING_HISTORY,
  SETTINGS,
  SETTINGS_OF,
  type Setting,
  type SettingChange,
} from '../../../settings/contract.ts'
import { SETTING_KINDS, type SettingKind } from '../../../settings/kinds.ts'
import { callOf, type Fields, hiddenOf, type Operations } from '../../forms.tsx'
import type { Page, PageContext } from '../../page.ts'
import { moveSetting, revisionHeader } from '../../setting-calls.ts'
import { EDITOR_PATH, KIND_WORDS, SETTINGS_PATH } from '../../setting-kinds.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Badge } from '../../ui/marks.tsx'
import { Choice, type Column, Empty, Panel, part, Table } from '../../ui/panel.tsx'
import { SettingState, Source, UsedBy } from '../../ui/settings.tsx'
import { Name, Time } from '../../ui/text.tsx'
import { SystemHead } from './places.tsx'
import { saveSetting } from './settings-editor.tsx'

const CHANGES = '/system/changes'

const kindIn = (context: PageContext): SettingKind =>
  SETTING_KINDS.find((kind) => kind === context.query.get('kind')) ?? 'destination'

export const settingsPage: Page = {
  path: SETTINGS_PATH,
  place: 'system',
  scope: 'setting:read',
  async render(context) {
    const kind = kindIn(context)
    const [kinds, answer] = await Promise.all([context.ask(SETTINGS), context.ask(SETTINGS_OF, { params: { kind } })])
    return {
      title: 'Settings',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="Settings">
            {kind !== 'switch' && kind !== 'access' && (
              <a class="btn primary" href={context.link(EDITOR_PATH, { kind })}>
                New {KIND_WORDS[kind].one}
              </a>
            )}
          </SystemHead>
          {part(kinds, ({ kinds: counts, locked }) => (
            <>
              {locked !== null && <p class="lead">{locked}</p>}
              <Choice
                label="Kinds of settings"
                options={counts.map((one) => ({
                  text: `${KIND_WORDS[one.kind].many} (${one.stored + one.inFile})`,
                  href: context.link(SETTINGS_PATH, { kind: one.kind }),
                  chosen: one.kind === kind,
                }))}
              />
            </>
          ))}
          {part(answer, ({ settings }) =>
            settings.length === 0 ? (
              <Empty title="There is no setting of this kind" icon="mail" />
            ) : (
              <Panel id="settings" title={KIND_WORDS[kind].many} count={settings.length}>
                <Table
                  context={context}
                  caption="Settings, those of the file first"
                  part="settings"
                  rows={settings}
                  keyOf={({ source, name }) => `${source}/${name}`}
                  columns={settingColumns(context)}
                />
              </Panel>
            ),
          )}
        </>
      ),
    }
  },
}

const settingColumns = (context: PageContext): readonly Column<Setting>[] => [
  {
    head: 'Name',
    cell: ({ kind, name }) => (
      <a href={context.link(EDITOR_PATH, { kind, name })}>
        <Name text={name} />
      </a>
    ),
  },
  { head: 'From', cell: (setting) => <Source setting={setting} /> },
  {
    head: 'State',
    cell: (setting) => (
      <>
        {setting.state === 'used' && 'used'}
        <SettingState setting={setting} />
      </>
    ),
  },
  {
    head: 'Value',
    cell: ({ name, value }) => (
      <details data-key={name}>
        <summary class="small">YAML</summary>
        <pre class="code" tabindex={0}>
          {stringify(value)}
        </pre>
      </details>
    ),
  },
  { head: 'Used by', cell: (setting) => <UsedBy context={context} setting={setting} /> },
  {
    head: 'Changed',
    cell: ({ changedAt, changedBy }) =>
      changedAt !== null && (
        <>
          <Time at={changedAt} zone={context} /> by <Name text={changedBy ?? ''} />
        </>
      ),
  },
  {
    head: '',
    cell: ({ kind, name, source, revision }) =>
      source === 'console' && (
        <ActionLink
          context={context}
          operation="setting.delete"
          scope="setting:write"
          values={{ kind, name, revision }}
          then={context.link(SETTINGS_PATH, { kind })}
          class="s"
        >
          Delete…
        </ActionLink>
      ),
  },
]

/** Changes of all settings; with a kind and a name those of one. */
export const changesPage: Page = {
  path: CHANGES,
  place: 'system',
  scope: 'setting:read',
  async render(context) {
    const name = context.query.get('name') ?? ''
    const answer =
      name === ''
        ? await context.ask(SETTING_CHANGES)
        : await context.ask(SETTING_HISTORY, { params: { kind: kindIn(context), name } })
    return {
      title: 'Changes',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="Changes" />
          {part(answer, ({ changes }) =>
            changes.length === 0 ? (
              <Empty title="No setting has been changed" icon="mail" />
            ) : (
              <Panel id="changes" title={name === '' ? 'All settings' : <Name text={name} />}>
                <Table
                  context={context}
                  caption="Changes of settings, newest first"
                  part="changes"
                  rows={changes}
                  keyOf={(row) => `${row.kind}/${row.name}/${row.revision}`}
                  columns={changeColumns(context, changes)}
                />
              </Panel>
            ),
          )}
        </>
      ),
    }
  },
}

/** The newest change of a setting is its present revision. */
const changeColumns = (context: PageContext, changes: readonly SettingChange[]): readonly Column<SettingChange>[] => [
  { head: 'When', cell: ({ at }) => <Time at={at} zone={context} /> },
  {
    head: 'By',
    cell: ({ by, via }) => (
      <>
        <Name text={by} /> <Badge text={via} />
      </>
    ),
  },
  {
    head: 'Setting',
    cell: ({ kind, name }) => (
      <>
        {kind}{' '}
        <a href={context.link(CHANGES, { kind, name })}>
          <Name text={name} />
        </a>
      </>
    ),
  },
  {
    head: 'Change',
    cell: ({ deleted, difference }) => (
      <>
        {deleted && <Badge tone="warn" text="deleted" />}
        {difference.map((line) => (
          <p>
            <Name text={line} />
          </p>
        ))}
      </>
    ),
  },
  {
    head: '',
    cell: ({ kind, name, revision }) => (
      <ActionLink
        context={context}
        operation="setting.undo"
        scope="setting:write"
        values={{ kind, name, to: revision - 1, revision: presentOf({ kind, name }, changes) }}
        class="s"
      >
        Undo…
      </ActionLink>
    ),
  },
]

const presentOf = ({ kind, name }: Pick<SettingChange, 'kind' | 'name'>, changes: readonly SettingChange[]) => {
  const newest = changes.find((one) => one.kind === kind && one.name === name)
  return newest?.deleted === false ? newest.revision : null
}

const kept = ({ get }: Fields) =>
  hiddenOf((['kind', 'name', 'revision', 'to'] as const).map((name) => [name, get(name)] as const))

const paramsOf = ({ get }: Fields) => ({ kind: get('kind') as SettingKind, name: get('name') })

export const settingOperations: Operations = {
  'setting.save': saveSetting,
  'setting.move': {
    scope: 'setting:write',
    verb: 'Move the setting',
    call: (fields) =>
      moveSetting({ ...paramsOf(fields), revision: fields.get('revision') }, Number(fields.get('position'))),
    done: (_, { get }) => `The ${get('kind')} ${get('name')} is moved.`,
  },
  'setting.delete': {
    scope: 'setting:write',
    verb: 'Delete the setting',
    call: (fields) =>
      callOf(DELETE_SETTING, {
        params: paramsOf(fields),
        headers: revisionHeader(fields.get('revision')),
      }),
    async dialog(fields, context) {
      const found = await context.ask(SETTING, { params: paramsOf(fields) })
      const usedBy = found.ok ? found.data.usedBy : []
      return (
        <>
          {kept(fields)}
          <p>
            The {fields.get('kind')} <Name text={fields.get('name')} />{' '}
            {usedBy.length > 0
              ? 'cannot be deleted while it is named elsewhere. Take it out there first:'
              : 'will be deleted. It can be restored from its changes.'}
          </p>
          {found.ok && usedBy.length > 0 && <UsedBy context={context} setting={found.data} />}
        </>
      )
    },
    done: (_, { get }) => `The ${get('kind')} ${get('name')} is deleted.`,
  },
  'setting.undo': {
    scope: 'setting:write',
    verb: 'Undo the change',
    call: (fields) =>
      callOf(RESTORE_SETTING, {
        params: paramsOf(fields),
        body: { revision: Number(fields.get('to')) },
        headers: revisionHeader(fields.get('revision')),
      }),
    dialog: (fields) => (
      <>
        {kept(fields)}
        <p>
          The {fields.get('kind')} <Name text={fields.get('name')} /> becomes what it was before this change
          {fields.get('to') === '0' ? ': it is deleted' : ''}. Later changes of it are undone, too.
        </p>
      </>
    ),
    done: (_, { get }) => `The ${get('kind')} ${get('name')} is as it was before.`,
  },
}
