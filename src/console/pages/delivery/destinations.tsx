/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Destinations: where each comes from, and how it fares. */
import { DESTINATIONS, type ListedDestination } from '../../../alerts/rules/contract.ts'
import { SETTINGS, SETTINGS_OF, type Setting } from '../../../settings/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { EDITOR_PATH, NEW_DESTINATION } from '../../setting-kinds.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { type Column, Empty, ErrorBox, Head, part, Table } from '../../ui/panel.tsx'
import { Name, Time } from '../../ui/text.tsx'
import { Places } from './places.tsx'
import { badness, DestinationMark, problemsFirst, typeText } from './words.tsx'

const YAML = `Butler:
  footman:
    destinations:
      ops-mail:
        type: email
        recipients: [ops@example.com]`

export const destinationList: Page = {
  path: '/destinations',
  place: 'delivery',
  scope: 'event:read',
  async render(context) {
    const seesSettings = context.may('setting:read')
    const [answer, kinds, stored] = await Promise.all([
      context.ask(DESTINATIONS),
      seesSettings ? context.ask(SETTINGS) : null,
      seesSettings ? context.ask(SETTINGS_OF, { params: { kind: 'destination' } }) : null,
    ])
    const mayEdit = context.may('setting:write') && kinds?.ok === true && kinds.data.editable
    return {
      title: 'Destinations',
      live: ['delivery'],
      body: (
        <>
          <Head title="Destinations" beside={<Places context={context} />}>
            {mayEdit && (
              <a class="btn primary" href={context.link(NEW_DESTINATION)}>
                Add destination
              </a>
            )}
          </Head>
          {stored?.ok === false && <ErrorBox failure={stored} what="Settings" />}
          {part(answer, ({ destinations }) => {
            const rows = rowsOf(destinations, stored?.ok ? stored.data.settings : [])
            return rows.length === 0 ? (
              <Empty
                title="Nothing is sent anywhere: no destination is set up"
                icon="mail"
                {...(!mayEdit && { yaml: YAML })}
              >
                {mayEdit && <a href={context.link(NEW_DESTINATION)}>Add the first one</a>}
              </Empty>
            ) : (
              <section class="panel spaced">
                <Table
                  context={context}
                  caption="Destinations, those with problems first"
                  rows={rows}
                  keyOf={({ name, setting }) => `${setting?.source ?? 'section'}/${name}`}
                  columns={columns(context, { seesSettings, mayEdit })}
                />
              </section>
            )
          })}
        </>
      ),
    }
  },
}

/** A destination that is in use, a setting that is not in use, or both in one. */
interface Row {
  readonly name: string
  readonly type: string
  /** Null = not in use. */
  readonly inUse: ListedDestination | null
  /** Null for those of the notification sections, and where settings are not shown. */
  readonly setting: Setting | null
}

/** Those with problems first; settings that are not in use after those that are. */
function rowsOf(destinations: readonly ListedDestination[], settings: readonly Setting[]): Row[] {
  const used = new Map(settings.filter(({ state }) => state === 'used').map((setting) => [setting.name, setting]))
  const inUse = problemsFirst(destinations).map((one) => {
    return { name: one.name, type: one.type, inUse: one, setting: used.get(one.name) ?? null }
  })
  const names = new Set(destinations.map(({ name }) => name))
  const others = settings
    .filter(({ name, state }) => state !== 'used' || !names.has(name))
    .map((setting) => ({ name: setting.name, type: typeOf(setting), inUse: null, setting }))
  return [...inUse, ...others]
}

const typeOf = ({ value }: Setting): string => String((value as { readonly type?: unknown } | null)?.type ?? '')

const page = ({ link }: PageContext, name: string) => link(`/destinations/${encodeURIComponent(name)}`)

interface Rights {
  readonly seesSettings: boolean
  readonly mayEdit: boolean
}

const columns = (context: PageContext, { seesSettings, mayEdit }: Rights): readonly Column<Row>[] => [
  {
    head: 'Destination',
    sort: (row) => row.name,
    cell: ({ name, type, inUse }) => (
      <>
        {inUse ? (
          <a href={page(context, name)}>
            <b>
              <Name text={name} />
            </b>
          </a>
        ) : (
          <b>
            <Name text={name} />
          </b>
        )}
        <p class="sub">{typeText(type)}</p>
      </>
    ),
  },
  ...(seesSettings
    ? [
        {
          head: 'From',
          sort: ({ setting }: Row) => setting?.source ?? 'file',
          cell: ({ setting }: Row) => <Origin setting={setting} />,
        },
      ]
    : []),
  {
    head: 'State',
    sort: ({ inUse }) => (inUse ? badness(inUse) : -1),
    cell: ({ inUse, setting }) =>
      inUse ? <DestinationMark destination={inUse} /> : setting && <UnusedMark setting={setting} />,
  },
  { head: 'Waiting', num: true, sort: ({ inUse }) => inUse?.pending ?? 0, cell: ({ inUse }) => inUse?.pending },
  {
    head: 'Failed',
    sort: ({ inUse }) => inUse?.dead ?? 0,
    num: true,
    cell: ({ name, inUse }) =>
      inUse && inUse.dead > 0 ? (
        <a href={context.link('/deliveries', { destination: name, state: 'dead' })}>{inUse.dead}</a>
      ) : (
        inUse?.dead
      ),
  },
  {
    head: 'Last delivered',
    sort: ({ inUse }) => inUse?.lastDeliveredAt,
    cell: ({ inUse }) => inUse && <Time at={inUse.lastDeliveredAt} zone={context} />,
  },
  {
    head: 'Last error',
    cell: ({ inUse, setting }) => {
      const error = inUse ? inUse.lastError : setting?.issues.map(issueText).join('; ')
      return error ? <Name text={error} /> : null
    },
  },
  {
    head: '',
    cell: ({ name, inUse, setting }) => (
      <>
        {inUse && <Actions context={context} name={name} dead={inUse.dead} />}{' '}
        {setting && <EditLink context={context} setting={setting} mayEdit={mayEdit} />}
      </>
    ),
  },
]

const issueText = ({ path, message }: Setting['issues'][number]): string => `${path} ${message}`.trim()

/** Destinations of the notification sections stand in the file, too. */
const Origin = ({ setting }: { readonly setting: Setting | null }) => {
  const { source = 'file', file = null, line = null } = setting ?? {}
  if (source === 'console') return <Badge tone="info" text="console" />
  return <Badge text="file" title={file === null ? undefined : `${file}${line === null ? '' : `:${line}`}`} />
}

const UnusedMark = ({ setting: { state } }: { readonly setting: Setting }) => {
  if (state === 'unusable') return <Mark state="warning" word="cannot be used" />
  return <Mark state="skipped" word={state === 'hidden' ? 'hidden by the file' : 'switched off'} />
}

interface EditProps {
  readonly context: PageContext
  readonly setting: Setting
  readonly mayEdit: boolean
}

/** The form of the settings; those of the file are shown there and not changed. */
export const EditLink = ({ context, setting: { name, source }, mayEdit }: EditProps) => (
  <a class="btn s" href={context.link(EDITOR_PATH, { kind: 'destination', name })}>
    {mayEdit && source === 'console' ? 'Edit' : 'Settings'}
  </a>
)

interface ActionsProps {
  readonly context: PageContext
  readonly name: string
  readonly dead: number
}

export const Actions = ({ context, name, dead }: ActionsProps) => (
  <>
    <ActionLink context={context} operation="destination.test" scope="event:run" values={{ name }}>
      Test…
    </ActionLink>{' '}
    {dead > 0 && (
      <ActionLink context={context} operation="deadletters.resend" scope="event:run" values={{ destination: name }}>
        Send {dead} again…
      </ActionLink>
    )}
  </>
)
