/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Features: what can be switched on and off while Footman runs, with the words of the configuration reference. */
import { IMPORT_SETTINGS, type Setting } from '../../../settings/contract.ts'
import { SWITCHES } from '../../../settings/kinds.ts'
import { yamlOf } from '../../../settings/text.ts'
import { callOf, type Operations } from '../../forms.tsx'
import type { Page, PageContext } from '../../page.ts'
import type { Field, Members } from '../../schema-form/fields.ts'
import { fieldsOf } from '../../schema-form/of-schema.ts'
import { putSetting } from '../../setting-calls.ts'
import { ActionButton } from '../../ui/forms.tsx'
import { Mark } from '../../ui/marks.tsx'
import { Panel, part, Table } from '../../ui/panel.tsx'
import { listed, membersOf } from '../../ui/setting-words.ts'
import {
  askSettings,
  DeleteSetting,
  EditSetting,
  placeText,
  SettingButtons,
  SettingState,
  Source,
  usedSetting,
  whyNot,
} from '../../ui/settings.tsx'
import { Name } from '../../ui/text.tsx'
import { SystemHead } from './places.tsx'

/** A section as a whole, which has no words as one key. */
const MAIL_SERVER: Field = {
  at: 'emailNotification.smtp',
  as: 'json',
  label: 'Mail server',
  hint: 'All mails go through it, those of report tasks too.',
}

/** The field of a switch, with words and default. */
export function switchField({ settingSchema }: PageContext, name: string): Field {
  if (name === MAIL_SERVER.at) return MAIL_SERVER
  return fieldsOf({ [name]: settingSchema('switch', name)!.value })[0]!
}

interface Row {
  readonly name: string
  readonly field: Field
  /** In the file or the store; undefined: it has its default. */
  readonly setting: Setting | undefined
}

export const featuresPage: Page = {
  path: '/system/features',
  place: 'system',
  scope: 'setting:read',
  async render(context) {
    const answer = await askSettings(context, 'switch')
    return {
      title: 'Features',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="Features" />
          {part(answer, ({ settings, locked }) => (
            <div class="stack">
              {locked !== null && <p class="lead">{locked}</p>}
              <AllSwitches
                context={context}
                locked={locked}
                rows={SWITCHES.map((name) => ({
                  name,
                  field: switchField(context, name),
                  setting: usedSetting(settings, name),
                }))}
              />
            </div>
          ))}
        </>
      ),
    }
  },
}

interface SwitchesProps {
  readonly context: PageContext
  readonly rows: readonly Row[]
  readonly locked: string | null
}

const currentOf = ({ field, setting }: Row): unknown => setting?.value ?? field.preset

const SCHEDULES = 'scheduler.enable'
const ENDPOINTS = 'restServerEndpointsEnable.scheduler.'
const isEndpoint = ({ name }: Row): boolean => name.startsWith(ENDPOINTS)

/** Schedules are made and shown by endpoints of their own, which Butler has switches for: they go on with the feature. */
const AllSwitches = ({ context, rows, locked }: SwitchesProps) => {
  const endpoints = rows.filter(isEndpoint)
  const also = endpoints
    .filter((row) => currentOf(row) !== true && row.setting?.source !== 'file')
    .map(({ name }) => name)
  return (
    <>
      <Panel id="features" title="Features" count={rows.length - endpoints.length}>
        <Switches
          context={context}
          rows={rows.filter((row) => !isEndpoint(row))}
          locked={locked}
          part="features"
          also={also}
        />
      </Panel>
      <Panel id="endpoints" title="Endpoints of schedules" count={endpoints.length}>
        <Switches context={context} rows={endpoints} locked={locked} part="endpoints" />
      </Panel>
    </>
  )
}

interface PartProps extends SwitchesProps {
  readonly part: string
  /** Switches that go on with schedules. */
  readonly also?: readonly string[]
}

const Switches = ({ context, rows, locked, part: id, also = [] }: PartProps) => (
  <Table
    context={context}
    caption={id === 'features' ? 'Features that can be switched while Footman runs' : 'Endpoints of the REST API'}
    part={id}
    rows={rows}
    keyOf={({ name }) => name}
    columns={[
      {
        head: 'Feature',
        sort: ({ field }) => field.label,
        cell: (row) => (
          <>
            <b>{row.field.label}</b>
            <p class="sub">{row.field.hint}</p>
            <code class="id muted">{row.name}</code>
          </>
        ),
      },
      { head: 'Value', cell: (row) => <Value field={row.field} value={currentOf(row)} /> },
      {
        head: 'From',
        cell: ({ setting }) =>
          setting ? (
            <>
              <Source setting={setting} />
              <SettingState setting={setting} />
            </>
          ) : (
            'default'
          ),
      },
      {
        head: '',
        cell: (row) => (
          <Buttons context={context} row={row} locked={locked} also={row.name === SCHEDULES ? also : []} />
        ),
      },
    ]}
  />
)

const serverText = ({ host, port }: Members): string =>
  host === undefined ? '' : `${host}${port === undefined ? '' : `:${port}`}`

const Value = ({ field, value }: { readonly field: Field; readonly value: unknown }) => {
  if (field.as === 'flag') return <Mark state={value ? 'success' : 'skipped'} word={value ? 'on' : 'off'} />
  const text = field === MAIL_SERVER ? serverText(membersOf(value)) : listed(value).join(', ')
  if (text === '') return <span class="muted">not set</span>
  return (
    <span class="nowrap">
      <Name text={text} />
    </span>
  )
}

interface ButtonsProps {
  readonly context: PageContext
  readonly row: Row
  readonly locked: string | null
  readonly also: readonly string[]
}

const Buttons = ({ context, row, locked, also }: ButtonsProps) => {
  const { name, field, setting } = row
  const isStored = setting?.source === 'console'
  if (field.as !== 'flag') {
    return setting ? (
      <SettingButtons context={context} setting={setting} locked={locked} />
    ) : (
      <EditSetting context={context} kind="switch" name={name} locked={locked} />
    )
  }
  const isOn = currentOf(row) === true
  const place = setting && !isStored ? `It stands in the file: ${placeText(setting)}` : null
  return (
    <span class="tools">
      <ActionButton
        context={context}
        operation="switch.set"
        scope="setting:write"
        values={{
          name,
          value: String(!isOn),
          title: row.field.label,
          revision: setting?.revision,
          ...(!isOn && { also }),
        }}
        off={place ?? whyNot(context, locked, 'switch', name, !isOn)}
        harmless
      >
        {isOn ? 'Switch off' : 'Switch on'}
      </ActionButton>
      {isStored && <DeleteSetting context={context} setting={setting} locked={locked} text="Default…" />}
    </span>
  )
}

export const featureOperations: Operations = {
  'switch.set': {
    scope: 'setting:write',
    verb: 'Switch the feature',
    call({ get, all }) {
      const also = all('also').filter((name) => (SWITCHES as readonly string[]).includes(name))
      if (also.length === 0)
        return putSetting({
          kind: 'switch',
          name: get('name'),
          value: get('value') === 'true',
          revision: get('revision'),
        })
      const rows = [get('name'), ...also].map((name) => ({ kind: 'switch' as const, name, value: true }))
      return callOf(IMPORT_SETTINGS, { body: { yaml: yamlOf(rows) } })
    },
    done: (_, { get }) => `${get('title')}: switched ${get('value') === 'true' ? 'on' : 'off'}.`,
  },
}
