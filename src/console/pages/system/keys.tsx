/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** API keys of the file and of the store, and new ones: the answer to the form is the only place that ever shows a key. */
import { hashOfKey, newKey } from '../../../http/auth/keys.ts'
import { accessKey } from '../../../http/config.ts'
import { ACCESS_KEYS, type AccessKeys } from '../../../http/contract.ts'
import { once } from '../../../platform/once.ts'
import type { Setting } from '../../../settings/contract.ts'
import type { Failure } from '../../ask.ts'
import { type Call, type Fields, fieldsOf, type Operation, type Operations, operationPage } from '../../forms.tsx'
import type { Page, PageContent, PageContext } from '../../page.ts'
import { Fields as FormFields } from '../../schema-form/controls.tsx'
import { givenMembers } from '../../schema-form/fields.ts'
import { formOf } from '../../schema-form/of-schema.ts'
import { putSetting } from '../../setting-calls.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { CopyText, Empty, ErrorBox, Head, Panel, part, Table } from '../../ui/panel.tsx'
import { listed, membersOf } from '../../ui/setting-words.ts'
import { askSettings, SettingButtons, type SettingList, SettingState, Source, usedSetting } from '../../ui/settings.tsx'
import { Ago, Name } from '../../ui/text.tsx'
import { SystemHead } from './places.tsx'

const KEYS = '/system/keys'

export const keysPage: Page = {
  path: KEYS,
  place: 'system',
  scope: 'admin',
  async render(context) {
    const [answer, settings] = await Promise.all([context.ask(ACCESS_KEYS), askSettings(context, 'access')])
    const list: SettingList = settings.ok ? settings.data : { settings: [], locked: null }
    return {
      title: 'Access',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="Access">
            <ActionLink
              context={context}
              operation="access.create"
              scope="admin"
              values={{}}
              off={list.locked}
              class="primary"
              harmless
            >
              New key…
            </ActionLink>
          </SystemHead>
          <div class="stack">
            {!context.request.pages.signsIn && (
              <p class="lead">
                Access control is off: every caller may do everything. <code>Butler.footman.access.enable</code> of the
                configuration file makes the keys count.
              </p>
            )}
            {!settings.ok && <ErrorBox failure={settings} what="Settings" />}
            {part(answer, ({ keys }) => (
              <Keys context={context} keys={keys} list={list} />
            ))}
          </div>
        </>
      ),
    }
  },
}

interface Row {
  readonly id: string
  /** Null: it is not in use. */
  readonly key: AccessKeys['keys'][number] | null
  readonly setting: Setting | undefined
}

interface KeysProps extends AccessKeys {
  readonly context: PageContext
  readonly list: SettingList
}

const Keys = ({ context, keys, list: { settings, locked } }: KeysProps) => {
  const inUse = keys.map((key): Row => ({ id: key.id, key, setting: usedSetting(settings, key.id) }))
  const others = settings
    .filter((setting) => !inUse.some((row) => row.setting === setting))
    .map((setting): Row => ({ id: setting.name, key: null, setting }))
  const rows = [...inUse, ...others]
  if (rows.length === 0) {
    return (
      <Empty title="No keys">
        Programs show a key to call the REST API, and people may sign in with one. <code>footman key create</code> makes
        one for the configuration file.
      </Empty>
    )
  }
  const scopesOf = ({ key, setting }: Row) => key?.scopes ?? listed(membersOf(setting?.value).scopes)
  return (
    <Panel id="keys" title="Keys" count={rows.length}>
      <Table
        context={context}
        caption="API keys, those of the file first"
        part="keys"
        rows={rows}
        keyOf={({ id, setting }) => `${setting?.source ?? 'file'}/${id}`}
        columns={[
          {
            head: 'Key',
            sort: ({ id }) => id,
            cell: ({ id, setting }) => (
              <>
                <Name text={id} /> {setting && <SettingState setting={setting} />}
              </>
            ),
          },
          {
            head: 'Rights',
            sort: (row) => scopesOf(row).join(', '),
            cell: (row) => <Name text={scopesOf(row).join(', ')} />,
          },
          {
            head: 'Last used',
            sort: ({ key }) => key?.lastUsedAt,
            cell: ({ key }) =>
              key === null ? (
                <span class="muted">–</span>
              ) : key.lastUsedAt === null ? (
                'never'
              ) : (
                <>
                  <Ago at={key.lastUsedAt} zone={context} />
                  {key.lastAddress !== null && ` from ${key.lastAddress}`}
                </>
              ),
          },
          { head: 'Ends', sort: ({ key }) => key?.expiresAt, cell: (row) => <Ends context={context} row={row} /> },
          { head: 'From', cell: ({ setting }) => (setting ? <Source setting={setting} /> : 'configuration') },
          {
            head: '',
            cell: ({ setting }) => setting && <SettingButtons context={context} setting={setting} locked={locked} />,
          },
        ]}
      />
    </Panel>
  )
}

const Ends = ({ context, row: { key, setting } }: { readonly context: PageContext; readonly row: Row }) => {
  const { expires } = membersOf(setting?.value)
  if (key === null) return <Name text={String(expires ?? 'never')} />
  return key.expiresAt === null ? <>never</> : <Ago at={key.expiresAt} zone={context} />
}

/** Members that the form of a new key has. Its hash follows from the key; a start filter is added in the editor. */
const MEMBERS = ['id', 'scopes', 'expires', 'keyValueNamespaces', 'allowFrom']
const keyFields = once(() => {
  const { fields } = formOf(accessKey)
  return MEMBERS.flatMap((member) => fields.filter(({ at }) => at === member))
})

function createCall({ get, form }: Fields, hash: string): Call {
  const { id: _, ...members } = givenMembers(keyFields(), form)
  return putSetting({ kind: 'access', name: get('id'), value: { ...members, hash }, revision: '' })
}

/** The members of the value are fields of the form. */
const atFields = (failure: Failure): Failure => ({
  ...failure,
  issues: failure.issues.map(({ path, message }) => ({
    path: path.replace(/^value\/?/, '').replaceAll('/', '.') || 'id',
    message,
  })),
})

/**
 * Makes the key here, so that it goes no further than into the answer: the API gets its hash, and neither the form, the
 * address, the session, the audit nor a log line has the key.
 */
async function created(form: URLSearchParams, context: PageContext, failure?: Failure): Promise<PageContent | null> {
  if (failure || form.get('confirmed') !== '1' || !form.get('id')) return null
  const key = newKey()
  const { method, path, body, headers = {} } = createCall(fieldsOf(form), hashOfKey(key))
  const answer = await context.ask.call(method, path, body, { headers })
  if (!answer.ok) return operationPage(context, ['access.create', CREATE], form, atFields(answer))
  return {
    title: 'New key',
    place: 'system',
    body: (
      <div class="dialog">
        <Head title="New key" crumbs={[{ href: context.link(KEYS), text: 'Access' }]} />
        <p>
          The key <Name text={form.get('id')} /> is made. <b>Copy it now: it is shown only this once.</b> Footman keeps
          its hash, so a lost key is replaced by a new one.
        </p>
        <CopyText text={key} label="Copy the key" />
        <p class="sub">
          Programs send it as <code>Authorization: Bearer</code> or <code>X-Api-Key</code>.
        </p>
        <p class="acts">
          <a class="btn primary" href={context.link(KEYS)}>
            I have copied it
          </a>
        </p>
      </div>
    ),
  }
}

const CREATE: Operation = {
  scope: 'admin',
  verb: 'Make the key',
  // For the command line that does the same; the page makes the call itself.
  call: (fields) => createCall(fields, 'sha256:<of footman key create>'),
  page: created,
  dialog: ({ form }) => (
    <>
      <p>The next page shows the key, once. Which tasks it may start can be limited in its editor afterwards.</p>
      <FormFields
        form={{ definition: givenMembers(keyFields(), form), choices: {}, prefix: '' }}
        fields={keyFields()}
      />
    </>
  ),
  required: ['id'],
  done: (_, { get }) => `The key ${get('id')} is in use.`,
}

export const keyOperations: Operations = { 'access.create': CREATE }
