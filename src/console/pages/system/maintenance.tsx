/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Maintenance: times in which messages are held back. */
import {
  CREATE_MAINTENANCE,
  END_MAINTENANCE,
  type ListedMaintenance,
  MAINTENANCE,
  type MaintenanceBody,
} from '../../../alerts/contract.ts'
import { matchedIds, matchText } from '../../../alerts/match-text.ts'
import { once } from '../../../platform/once.ts'
import type { ZoneTimes } from '../../../platform/zone-times.ts'
import type { Setting } from '../../../settings/contract.ts'
import { callOf, type Fields, type Operations, timesOf } from '../../forms.tsx'
import { type Names, qlikNamesOf } from '../../names.ts'
import type { Page, PageContext } from '../../page.ts'
import { Fields as FormFields } from '../../schema-form/controls.tsx'
import { givenMembers } from '../../schema-form/fields.ts'
import { formOf } from '../../schema-form/of-schema.ts'
import { ActionLink, TextField } from '../../ui/forms.tsx'
import { Mark } from '../../ui/marks.tsx'
import { Empty, ErrorBox, Panel, part, Table } from '../../ui/panel.tsx'
import { membersOf, windowsText } from '../../ui/setting-words.ts'
import {
  askSettings,
  NewSetting,
  SettingButtons,
  type SettingList,
  SettingState,
  Source,
  usedSetting,
} from '../../ui/settings.tsx'
import { Name, numberText, Time, wallText } from '../../ui/text.tsx'
import { matchFields } from '../delivery/snooze-form.tsx'
import { SystemHead } from './places.tsx'

export const maintenancePage: Page = {
  path: '/system/maintenance',
  place: 'system',
  scope: 'event:read',
  async render(context) {
    const [answer, recurring] = await Promise.all([
      context.ask(MAINTENANCE),
      context.may('setting:read') ? askSettings(context, 'maintenance') : null,
    ])
    const list: SettingList = recurring?.ok ? recurring.data : { settings: [], locked: null }
    const matches = answer.ok ? answer.data.maintenance.flatMap(({ match }) => [match].flat()) : []
    const names = await qlikNamesOf(context, matchedIds(matches))
    return {
      title: 'Maintenance',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="Maintenance">
            <ActionLink
              context={context}
              operation="maintenance.create"
              values={{}}
              scope="event:run"
              class="primary"
              harmless
            >
              New
            </ActionLink>
            {recurring?.ok && (
              <NewSetting context={context} kind="maintenance" locked={list.locked} text="New recurring" />
            )}
          </SystemHead>
          {part(answer, ({ maintenance }) => (
            <List context={context} names={names} maintenance={maintenance} recurring={list} />
          ))}
          {recurring && !recurring.ok && <ErrorBox failure={recurring} what="Recurring maintenance" />}
          <Unused context={context} list={list} />
        </>
      ),
    }
  },
}

const EXAMPLE = `Butler:
  footman:
    windows:
      sunday-night: { days: [sun], from: '22:00', to: '02:00' }
    maintenance:
      - name: weekly
        during: sunday-night`

const matchesText = (match: ListedMaintenance['match'], names?: Names): string =>
  [match]
    .flat()
    .map((one) => matchText(one, names))
    .join('; ')

const setBy = ({ origin, createdBy }: ListedMaintenance): string | null =>
  origin === 'file' ? 'configuration' : createdBy

interface ListProps {
  readonly context: PageContext
  readonly names: Names
  readonly maintenance: readonly ListedMaintenance[]
  /** Empty without the scope. */
  readonly recurring: SettingList
}

const List = ({ context, names, maintenance, recurring }: ListProps) => {
  if (maintenance.length === 0) {
    return (
      <Empty title="No maintenance is planned" yaml={EXAMPLE}>
        In a maintenance, messages to people are held back and recorded. One that returns is a setting, or stands in the
        configuration.
      </Empty>
    )
  }
  const settingOf = ({ origin, name }: ListedMaintenance) =>
    origin === 'file' ? usedSetting(recurring.settings, name) : undefined
  const rows = [...maintenance].sort((a, b) => Number(b.on) - Number(a.on))
  return (
    <Panel id="list" title="Planned and under way" count={rows.length}>
      <Table
        context={context}
        caption="Maintenance, under way first"
        rows={rows}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Maintenance',
            sort: (row) => row.name,
            cell: ({ name, reason }) => (
              <>
                <Name text={name} />
                {reason && (
                  <span class="sub">
                    {' '}
                    <Name text={reason} />
                  </span>
                )}
              </>
            ),
          },
          {
            head: 'State',
            sort: (row) => Number(!row.on),
            cell: ({ on }) => <Mark state={on ? 'running' : 'planned'} word={on ? 'under way' : 'planned'} />,
          },
          {
            head: 'Times',
            cell: (row) => (
              <>
                <During context={context} setting={settingOf(row)} />
                {row.next.length === 0
                  ? 'none within 14 days'
                  : row.next.map(({ from, to }) => (
                      <p>
                        <Time at={from} zone={context} seconds={false} /> to{' '}
                        <Time at={to} zone={context} seconds={false} />
                      </p>
                    ))}
              </>
            ),
          },
          {
            head: 'Holds back',
            cell: ({ match, stopSchedules, summaryTo }) => (
              <>
                {match === null ? (
                  'all events'
                ) : (
                  <span title={matchesText(match)}>
                    <Name text={matchesText(match, names)} />
                  </span>
                )}
                {stopSchedules && ', stops schedules'}
                {summaryTo.length > 0 && (
                  <>
                    ; summary to <Name text={summaryTo.join(', ')} />
                  </>
                )}
              </>
            ),
          },
          { head: 'Held back', num: true, sort: (row) => row.heldBack, cell: ({ heldBack }) => numberText(heldBack) },
          {
            head: 'Set by',
            sort: setBy,
            cell: (row) => {
              const setting = settingOf(row)
              return setting ? <Source setting={setting} /> : setBy(row)
            },
          },
          {
            head: '',
            cell: (row) => {
              const { id, name, origin, on } = row
              const setting = settingOf(row)
              if (setting) return <SettingButtons context={context} setting={setting} locked={recurring.locked} />
              return (
                origin === 'once' && (
                  <ActionLink
                    context={context}
                    operation="maintenance.end"
                    values={{ id, name }}
                    scope="event:run"
                    class="s"
                    harmless
                  >
                    {on ? 'End now' : 'Remove'}
                  </ActionLink>
                )
              )
            },
          },
        ]}
      />
    </Panel>
  )
}

/** The windows of a recurring maintenance, in words. */
const During = ({ context, setting }: { readonly context: PageContext; readonly setting: Setting | undefined }) =>
  setting ? (
    <p>
      <Name text={windowsText(membersOf(setting.value).during, context)} />
    </p>
  ) : null

/** Recurring ones that are kept, and not in use. */
const Unused = ({ context, list: { settings, locked } }: { context: PageContext; list: SettingList }) => {
  const rows = settings.filter(({ state }) => state !== 'used')
  if (rows.length === 0) return null
  return (
    <Panel id="unused" title="Not in use" count={rows.length}>
      <Table
        context={context}
        part="unused"
        caption="Recurring maintenance that is not in use"
        rows={rows}
        keyOf={({ name }) => name}
        columns={[
          { head: 'Maintenance', cell: ({ name }) => <Name text={name} /> },
          { head: 'State', cell: (setting) => <SettingState setting={setting} /> },
          { head: 'Times', cell: (setting) => <During context={context} setting={setting} /> },
          { head: 'From', cell: (setting) => <Source setting={setting} /> },
          { head: '', cell: (setting) => <SettingButtons context={context} setting={setting} locked={locked} /> },
        ]}
      />
    </Panel>
  )
}

const HOUR_MS = 3_600_000

/** ISO time of a wall clock; the text as it came when it is none: the API says what is wrong. */
function instantText(text: string, times: ZoneTimes): string {
  const at = times.instant(text)
  return at === null ? text : new Date(at).toISOString()
}

const ownFields = once(() => formOf(CREATE_MAINTENANCE.body().omit({ match: true })).fields)
/** The only condition that the form offers. */
const taskField = once(() =>
  matchFields()
    .filter(({ at }) => at === 'task')
    .map((field) => ({ ...field, label: 'Tasks (name with *; empty = all events)' })),
)

/** The members as the form gives them; the API says which of them are wrong. */
function bodyOf({ get, form }: Fields): MaintenanceBody {
  const times = timesOf(form)
  const { name, ...others } = givenMembers(ownFields(), form)
  const match = givenMembers(taskField(), form)
  return {
    name: String(name),
    from: instantText(get('from'), times),
    until: instantText(get('until'), times),
    ...(Object.keys(match).length > 0 && { match }),
    ...others,
  }
}

export const maintenanceOperations: Operations = {
  'maintenance.create': {
    scope: 'event:run',
    verb: 'Plan the maintenance',
    call: (fields) => callOf(CREATE_MAINTENANCE, { body: bodyOf(fields) }),
    dialog: ({ get, form }, { timezone, now, may }) => {
      const [name, ...others] = ownFields().filter(({ at }) => at !== 'stopSchedules' || may('schedule:run'))
      const shown = { definition: givenMembers([...ownFields(), ...taskField()], form), choices: {}, prefix: '' }
      return (
        <>
          <p class="sub">
            Messages to people about these events are held back and recorded. Times are in the time zone {timezone}.
          </p>
          <input type="hidden" name="zone" value={timezone} />
          <FormFields form={shown} fields={[name!]} />
          <TextField
            name="from"
            label="From"
            type="datetime-local"
            value={get('from') || wallText(now, timezone)}
            required
          />
          <TextField
            name="until"
            label="Until (at most 7 days)"
            type="datetime-local"
            value={get('until') || wallText(now + 2 * HOUR_MS, timezone)}
            required
          />
          <FormFields form={shown} fields={[...taskField(), ...others]} />
          {!may('schedule:run') && (
            <p class="sub">Footman's own schedules go on: stopping them needs the scope schedule:run.</p>
          )}
        </>
      )
    },
    done: (answer) => `Maintenance ${(answer as ListedMaintenance).name} is set.`,
    next: () => '/system/maintenance',
  },
  'maintenance.end': {
    scope: 'event:run',
    verb: 'End the maintenance',
    call: (fields) => callOf(END_MAINTENANCE, { params: { id: fields.get('id') } }),
    dialog: (fields) => (
      <>
        <p>
          Messages that <Name text={fields.get('name')} /> would hold back are sent again from now on.
        </p>
        <input type="hidden" name="id" value={fields.get('id')} />
        <input type="hidden" name="name" value={fields.get('name')} />
      </>
    ),
    done: (_, fields) => `Maintenance ${fields.get('name')} has ended.`,
    next: () => '/system/maintenance',
  },
}
