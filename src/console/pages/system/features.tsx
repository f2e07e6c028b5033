/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Features: what can be switched on and off while Footman runs, with the words of the configuration reference. */
import { z } from 'zod'
import { butlerRoutes, selfAlerts } from '../../../alerts/config.ts'
import { zone } from '../../../config/process.ts'
import { restServerEndpointsEnable } from '../../../http/config.ts'
import { once } from '../../../platform/once.ts'
import { reportTask } from '../../../reports/config.ts'
import type { Setting } from '../../../settings/contract.ts'
import { SWITCHES } from '../../../settings/kinds.ts'
import { scheduler } from '../../../tasks/schedule/config.ts'
import { footmanConsole } from '../../config.ts'
import type { Page, PageContext } from '../../page.ts'
import type { Field } from '../../schema-form/fields.ts'
import { formOf } from '../../schema-form/of-schema.ts'
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

/** The sections that have switches, as they lie below `Butler`. */
const sections = once(() =>
  z.object({
    scheduler,
    restServerEndpointsEnable,
    footman: z.object({ reportTask, timezone: zone, console: footmanConsole, selfAlerts, butlerRoutes }),
  }),
)

/** The fields of the switches by their names, with words and defaults. */
const fieldsOfSwitches = once(() => new Map(formOf(sections()).fields.map((field) => [field.at, field])))

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
              <Switches
                context={context}
                locked={locked}
                rows={SWITCHES.map((name) => ({
                  name,
                  field: fieldsOfSwitches().get(name)!,
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

const Switches = ({ context, rows, locked }: SwitchesProps) => (
  <Panel id="features" title="Features" count={rows.length}>
    <Table
      context={context}
      caption="Features that can be switched while Footman runs"
      part="features"
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
        { head: '', cell: (row) => <Buttons context={context} row={row} locked={locked} /> },
      ]}
    />
  </Panel>
)

const Value = ({ field, value }: { readonly field: Field; readonly value: unknown }) => {
  if (field.as === 'flag') return <Mark state={value ? 'success' : 'skipped'} word={value ? 'on' : 'off'} />
  const text = listed(value).join(', ')
  if (text === '') return <span class="muted">not set</span>
  return (
    <span class="nowrap">
      <Name text={text} />
    </span>
  )
}

const Buttons = ({ context, row, locked }: { context: PageContext; row: Row; locked: string | null }) => {
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
        operation="setting.put"
        scope="setting:write"
        values={{ kind: 'switch', name, value: String(!isOn), revision: setting?.revision }}
        off={place ?? whyNot(context, locked, 'switch', name, !isOn)}
        harmless
      >
        {isOn ? 'Switch off' : 'Switch on'}
      </ActionButton>
      {isStored && <DeleteSetting context={context} setting={setting} locked={locked} text="Default…" />}
    </span>
  )
}
