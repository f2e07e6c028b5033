/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Features: what can be switched on and off while Footman runs, with the words of the configuration reference. */
import { stringify } from 'yaml'
import type { FormMeta } from '../../../platform/form-meta.ts'
import { IMPORT_SETTINGS, type Setting } from '../../../settings/contract.ts'
import { SWITCHES } from '../../../settings/kinds.ts'
import { yamlOf } from '../../../settings/text.ts'
import { callOf, type Operations } from '../../forms.tsx'
import type { Page, PageContext } from '../../page.ts'
import { isMembers } from '../../schema-form/fields.ts'
import { fieldsOf } from '../../schema-form/of-schema.ts'
import { putSetting } from '../../setting-calls.ts'
import { ActionButton } from '../../ui/forms.tsx'
import { Mark } from '../../ui/marks.tsx'
import { Panel, part, Table } from '../../ui/panel.tsx'
import { listed } from '../../ui/setting-words.ts'
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

/** The words and the default of a switch. One that is no single value, such as the mail server, has no field. */
interface Words {
  readonly label: string
  readonly hint: string | undefined
  readonly preset: unknown
  readonly isFlag: boolean
}

function wordsOf({ settingSchema }: Pick<PageContext, 'settingSchema'>, name: string): Words {
  const { value } = settingSchema('switch', name)!
  const { label = name, hint, description } = (value.meta() ?? {}) as FormMeta
  const [field, ...others] = fieldsOf({ value })
  return {
    label,
    hint: hint ?? description,
    preset: others.length > 0 ? undefined : field?.preset,
    isFlag: field?.as === 'flag' && others.length === 0,
  }
}

interface Row {
  readonly name: string
  readonly words: Words
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
                  words: wordsOf(context, name),
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

const currentOf = ({ words, setting }: Row): unknown => setting?.value ?? words.preset

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
        sort: ({ words }) => words.label,
        cell: (row) => (
          <>
            <b>{row.words.label}</b>
            <p class="sub">{row.words.hint}</p>
            <code class="id muted">{row.name}</code>
          </>
        ),
      },
      { head: 'Value', cell: (row) => <Value isFlag={row.words.isFlag} value={currentOf(row)} /> },
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

const Value = ({ isFlag, value }: { readonly isFlag: boolean; readonly value: unknown }) => {
  if (isFlag) return <Mark state={value ? 'success' : 'skipped'} word={value ? 'on' : 'off'} />
  if (isMembers(value) && !Array.isArray(value)) {
    return (
      <details>
        <summary class="small">YAML</summary>
        <pre class="code" tabindex={0}>
          {stringify(value)}
        </pre>
      </details>
    )
  }
  const text = listed(value).join(', ')
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
  const { name, words, setting } = row
  const isStored = setting?.source === 'console'
  if (!words.isFlag) {
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
          title: row.words.label,
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
