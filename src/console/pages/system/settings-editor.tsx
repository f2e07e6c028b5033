/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The editor of a setting of any kind; its form is made from the schema of the configuration file. */
import type { FC } from 'hono/jsx'
import { withQuery } from '../../../http/endpoint/contract.ts'
import { refusal } from '../../../http/errors.ts'
import { createZoneTimes } from '../../../platform/zone-times.ts'
import { SETTING, SETTINGS, type Setting, type SettingTest, TEST_SETTING } from '../../../settings/contract.ts'
import { kindOf, SETTING_KINDS, type SettingKind } from '../../../settings/kinds.ts'
import { MASK, mapTexts, maskValue } from '../../../settings/store.ts'
import { entriesIn, yamlOf } from '../../../settings/text.ts'
import type { Asked, Failure } from '../../ask.ts'
import { type Call, curlOf, type Operation, Refused, refused, timesOf } from '../../forms.tsx'
import type { Page, PageContent, PageContext } from '../../page.ts'
import { isRefusal } from '../../requests.ts'
import { takenOver, VersionConflict } from '../../schema-form/conflict.tsx'
import { Fields } from '../../schema-form/controls.tsx'
import {
  changeList,
  controlOf,
  type Field,
  isEmpty,
  isMembers,
  isPreset,
  type Members,
  memberAt,
  membersOfJson,
  readFields,
  type Variant,
  variantOf,
  withLists,
  withoutLists,
} from '../../schema-form/fields.ts'
import { fieldsOf, formsOf } from '../../schema-form/of-schema.ts'
import { putSetting } from '../../setting-calls.ts'
import { EDITOR_PATH, KIND_WORDS, NEW_DESTINATION } from '../../setting-kinds.ts'
import { ActionLink, FormErrors, FormFields, TextField } from '../../ui/forms.tsx'
import { Badge } from '../../ui/marks.tsx'
import { CopyText, ErrorBox, Head, Panel } from '../../ui/panel.tsx'
import { listed, membersOf as membersIn } from '../../ui/setting-words.ts'
import { placeText, SettingState, UsedBy, whyNot } from '../../ui/settings.tsx'
import { Name, plainName, Time } from '../../ui/text.tsx'
import { typeText } from '../delivery/words.tsx'
import { switchField } from './features.tsx'
import { TestResult, testWords } from './setting-test.tsx'

/** A form under way. */
interface Draft {
  readonly kind: SettingKind
  /** The name that it has; '' = new. */
  readonly name: string
  /** The name in the form. */
  readonly wanted: string
  /** When the form was opened; 0 = new. */
  readonly revision: number
  /** Members of the form when it was opened, and now. A value that is no object is the member `value`. */
  readonly before: Members
  readonly members: Members
  readonly failure?: Failure | undefined
  readonly notice?: string
  readonly tested?: Asked<SettingTest>
}

const SAVE = 'setting.save'

/** Titles of the parts of a form, which stand in the order of the members. */
const GROUPS: Readonly<Record<string, string>> = {
  '': 'Settings',
  rule: 'Rule',
  policy: 'Policy',
  maintenance: 'Maintenance',
  match: 'When',
  to: 'To whom',
  message: 'Message',
  limits: 'How often',
  days: 'Days',
  recurring: 'Every week',
  single: 'Only once',
  retry: 'After a failure',
  watch: 'Watch',
}

/** Said above the conditions of a new entry. */
const WITHOUT_CONDITION: Partial<Record<SettingKind, string>> = {
  rule: 'All fields that are filled in must hold. A rule without any is for everything that needs attention.',
  policy: 'All fields that are filled in must hold. A policy without any covers all tasks.',
  maintenance: 'All fields that are filled in must hold. Without any, all alerts are held back.',
}

const isKey = (kind: SettingKind): boolean => kindOf(kind).form === 'key'
const membersOf = (kind: SettingKind, value: unknown): Members =>
  isKey(kind) ? { value } : isMembers(value) ? structuredClone(value) : {}

/** The form of a setting; null where no kind fits. */
function formOf(context: PageContext, kind: SettingKind, name: string, members: Members): Variant | null {
  const schema = context.settingSchema(kind, name)
  if (!schema) return null
  if (isKey(kind)) {
    return { type: '', key: '', title: '', required: [], fields: fieldsOf({ value: schema.value }), start: {} }
  }
  const form = variantOf(formsOf(schema.value), members)
  if (!form) return null
  const { nameIn = 'name', form: place } = kindOf(kind)
  return place === 'list' ? { ...form, fields: form.fields.filter(({ at }) => at !== nameIn) } : form
}

/** The value of the members of a form. */
function entryValue(kind: SettingKind, members: Members, fields: readonly Field[]): unknown {
  if (isKey(kind)) return members.value
  const value = structuredClone(members)
  withoutLists(value, fields)
  return value
}

const kindIn = (text: string | null): SettingKind => {
  const kind = SETTING_KINDS.find((one) => one === text)
  if (kind) return kind
  throw refusal('VALIDATION', `kind: there is no kind of settings ${JSON.stringify(text ?? '')}`)
}

export const settingEditor: Page = {
  path: EDITOR_PATH,
  place: 'system',
  scope: 'setting:read',
  async render(context) {
    const { query } = context
    const kind = kindIn(query.get('kind'))
    const name = query.get('name') ?? ''
    if (name === '') return newSetting(context, kind)
    const found = await context.ask(SETTING, { params: { kind, name } })
    if (found.ok) return editorPage(context, draftOf(kind, found.data), found.data)
    // A switch that is in neither place yet has its default.
    if (isKey(kind) && found.status === 404 && context.settingSchema(kind, name)) {
      const preset: unknown = context.settingSchema(kind, name)!.value.safeParse(undefined).data
      const members = { value: isMembers(preset) && !Array.isArray(preset) ? {} : preset }
      return editorPage(context, { kind, name, wanted: name, revision: 0, before: members, members })
    }
    return { title: KIND_WORDS[kind].many, status: found.status, body: <ErrorBox failure={found} /> }
  },
}

const draftOf = (kind: SettingKind, { name, revision, value }: Setting): Draft => {
  const members = membersOf(kind, value)
  return { kind, name, wanted: name, revision: revision ?? 0, before: members, members }
}

function newSetting(context: PageContext, kind: SettingKind): Promise<PageContent> | PageContent {
  const { query } = context
  const type = query.get('type') ?? undefined
  const given = membersOfJson(query.get('value') ?? '') ?? {}
  const members = { ...given, ...(type !== undefined && { type }) }
  const forms = isKey(kind) ? [] : formsOf(context.settingSchema(kind, '')!.value)
  if (forms.length > 1 && !forms.some((one) => one.type === members.type)) {
    return { title: 'New destination', body: null, location: NEW_DESTINATION }
  }
  const form = formOf(context, kind, '', members)
  const start: Members = { ...form?.start, ...members }
  // Conditions are what most people come for: the fields of the first stand there.
  for (const field of form?.fields ?? []) {
    if (field.as === 'items' && field.single && !field.advanced && start[field.at] === undefined)
      start[field.at] = field.variants.slice(0, 1).map((variant) => structuredClone(variant.start))
  }
  delete start.name
  // A setting says no more than what differs from the defaults.
  for (const [name, value] of Object.entries(start)) {
    const field = form?.fields.find(({ at }) => at === name)
    if (given[name] === undefined && (isEmpty(value) || (field && isPreset(field, value)))) delete start[name]
  }
  const wanted = query.get('wanted') ?? ''
  return editorPage(context, { kind, name: '', wanted, revision: 0, before: start, members: start })
}

/** `shown`: the setting as it is, where the form has just been opened. */
async function editorPage(context: PageContext, draft: Draft, shown?: Setting): Promise<PageContent> {
  const { kind, name, failure } = draft
  const { one, many, place, list } = KIND_WORDS[kind]
  const form = formOf(context, kind, name, draft.members)
  if (!form) throw refusal('SETTING_NOT_FOUND', `There is no ${one} ${name}.`)
  const [kinds, present] = await Promise.all([
    context.ask(SETTINGS),
    shown || name === ''
      ? shown
      : context.ask(SETTING, { params: { kind, name } }).then((now) => (now.ok ? now.data : undefined)),
  ])
  // The setting itself was changed, or another one has the name already, or it is gone.
  const isConflict =
    failure?.code === 'SETTING_CHANGED' && present?.revision !== draft.revision && present !== undefined
  const locked = kinds.ok ? kinds.data.locked : null
  const inFile = present?.source === 'file' || present?.state === 'hidden'
  const off = inFile
    ? 'It stands in the configuration file. Change it there.'
    : whyNot(context, locked, kind, name, present?.value ?? null)
  const members = structuredClone(draft.members)
  withLists(members, form.fields)
  const action = context.link(`/form/${SAVE}`)
  const title = isKey(kind) ? switchField(context, name).label : name === '' ? `New ${one}` : plainName(name)
  const value = entryValue(kind, members, form.fields)
  return {
    title,
    place,
    scripts: ['editor.js'],
    status: failure?.status ?? 200,
    body: (
      <>
        <Head
          title={title}
          crumbs={[{ href: context.link(list), text: many }]}
          beside={<Beside context={context} draft={draft} setting={present} />}
        >
          {present?.source === 'console' && (
            <>
              <a class="btn" href={context.link('/system/changes', { kind, name })}>
                Changes
              </a>
              {!isKey(kind) && (
                <ActionLink
                  context={context}
                  operation="setting.delete"
                  scope="setting:write"
                  values={{ kind, name, revision: present.revision }}
                  then={context.link(list)}
                  off={locked}
                  class=""
                >
                  Delete…
                </ActionLink>
              )}
            </>
          )}
        </Head>
        {draft.notice && (
          <p class="flash" role="status">
            {draft.notice}
          </p>
        )}
        {off !== null && <p class="lead">{off}</p>}
        {present && <SettingState setting={present} />}
        {failure && !isConflict && <Refused failure={inWords(failure, form.fields)} verb="Save" />}
        <form method="post" action={action} class="two editor" novalidate data-dirty={String(isChanged(draft))}>
          <FormFields
            context={context}
            values={{
              kind,
              name,
              revision: draft.revision,
              before: JSON.stringify(draft.before),
              members: JSON.stringify(draft.members),
              zone: context.timezone,
            }}
            then={context.link(list)}
          />
          <fieldset class="plain stack" disabled={off !== null}>
            {isConflict && present && (
              <VersionConflict
                context={context}
                before={entryValue(kind, draft.before, form.fields)}
                now={present.value}
                mine={value}
                revision={present.revision ?? 0}
                by={present.changedBy ?? ''}
                at={present.changedAt ?? ''}
              />
            )}
            <FormErrors.Provider value={errorsOf(draft, form.fields, present)}>
              <Parts context={context} draft={{ ...draft, members }} form={form} action={action} />
            </FormErrors.Provider>
            <div class="acts">
              <button type="submit" class="btn primary" name="do" value="save">
                {name === '' ? `Add the ${one}` : 'Save'}
              </button>
            </div>
          </fieldset>
          <div class="stack">
            {testWords(kind) && (
              <Panel id="test" title={testWords(kind)!.title}>
                <div class="body stack">
                  <p class="muted small">{testWords(kind)!.hint}</p>
                  {off === null && (
                    <div class="acts">
                      <button type="submit" class="btn" name="do" value="test" formaction={`${action}#test`}>
                        {testWords(kind)!.verb}
                      </button>
                    </div>
                  )}
                  {draft.tested && <TestResult context={context} tested={draft.tested} />}
                </div>
              </Panel>
            )}
            {present && present.usedBy.length > 0 && (
              <Panel id="used-by" title="Used by" count={present.usedBy.length}>
                <div class="body">
                  <UsedBy context={context} setting={present} />
                </div>
              </Panel>
            )}
            <AsText context={context} draft={draft} value={value} isOff={off !== null} />
          </div>
        </form>
      </>
    ),
  }
}

const isChanged = ({ before, members, name, wanted }: Draft): boolean =>
  JSON.stringify(before) !== JSON.stringify(members) || name !== wanted

const Beside: FC<{ readonly context: PageContext; readonly draft: Draft; readonly setting: Setting | undefined }> = ({
  context,
  draft: { kind, members },
  setting,
}) => (
  <>
    {kind === 'destination' && <Badge text={typeText(String(members.type))} />}
    {setting?.source === 'file' && (
      <span class="muted">
        <Name text={placeText(setting)} />
      </span>
    )}
    {setting?.changedAt && (
      <span class="muted">
        revision {setting.revision}, <Time at={setting.changedAt} zone={context} /> by{' '}
        <Name text={setting.changedBy ?? ''} />
      </span>
    )}
  </>
)

interface PartsProps {
  readonly context: PageContext
  readonly draft: Draft
  readonly form: Variant
  readonly action: string
}

/** The name and the members, in the parts of the form. */
const Parts: FC<PartsProps> = ({ context, draft: { kind, wanted, members }, form: { fields }, action }) => {
  const own = [...new Set(fields.map(({ group = '' }) => group))]
  const [first = ''] = own
  const form = { definition: members, choices: {}, action, times: createZoneTimes(context.timezone) }
  const hasMask = JSON.stringify(members).includes(MASK)
  return (
    <>
      {own.map((group) => (
        <Panel id={`step-${group || 'settings'}`} title={GROUPS[group] ?? 'Settings'}>
          <div class="body">
            {group === 'match' && <p class="muted small">{WITHOUT_CONDITION[kind]}</p>}
            {group === first && !isKey(kind) && (
              <>
                <TextField
                  name="wanted"
                  label="Name"
                  value={wanted}
                  required
                  maxlength={200}
                  aria-describedby="wanted-hint"
                />
                <p class="muted small" id="wanted-hint">
                  Lower-case letters, digits and hyphens; everything else becomes a hyphen.
                </p>
              </>
            )}
            {group === first && hasMask && (
              <p class="muted small">{MASK} stands for a secret that is stored. Leave it to keep the secret.</p>
            )}
            <Fields
              form={{ ...form, step: group || 'settings' }}
              fields={fields.filter((one) => (one.group ?? '') === group)}
            />
          </div>
        </Panel>
      ))}
    </>
  )
}

interface AsTextProps {
  readonly context: PageContext
  readonly draft: Draft
  readonly value: unknown
  readonly isOff: boolean
}

/** The setting as it would stand in the file, to be copied or edited, and the call that saves it. Without secrets. */
const AsText: FC<AsTextProps> = ({ context, draft, value, isOff }) => {
  const { kind, wanted } = draft
  const row = { kind, name: wanted || 'name', value }
  const text = yamlOf([row])
  return (
    <Panel id="yaml" title="YAML">
      <div class="body stack">
        <details class="entry" open={isOff || undefined}>
          <summary>As it stands in the configuration file</summary>
          {isOff ? (
            <CopyText text={text} />
          ) : (
            <>
              <label class="stack">
                <span class="muted small">Everything can be written here, also what has no field.</span>
                <textarea name="yaml" rows={14} spellcheck={false} class="mono" aria-label="Setting as YAML">
                  {`\n${text}`}
                </textarea>
              </label>
              <div class="acts">
                <button type="submit" class="btn s" name="do" value="yaml">
                  Take this YAML
                </button>
              </div>
            </>
          )}
        </details>
        {!isOff && !isEmpty(value) && (
          <details class="entry">
            <summary>As a call of the API</summary>
            <CopyText text={curlOf(context, callFor({ ...draft, wanted: row.name }, maskValue(row, value)))} />
          </details>
        )}
      </div>
    </Panel>
  )
}

const callFor = ({ kind, name, wanted, revision }: Draft, value: unknown): Call =>
  putSetting({
    kind,
    name: name || wanted,
    value,
    revision: revision === 0 ? '' : String(revision),
    rename: name !== '' && wanted !== name ? wanted : undefined,
  })

/** Where a refusal stands: `value/to/0` at the field of the first destination. */
const memberOf = (path: string): string =>
  path
    .replace(/^value\/?/, '')
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.')

/** The member in the form, where a single item stands in a list. */
function memberIn(fields: readonly Field[], path: string): string {
  const field = fields.find((one) => one.as === 'items' && one.single && path.startsWith(`${one.at}.`))
  const rest = field && path.slice(field.at.length + 1)
  return field && !/^\d+(?:\.|$)/.test(rest!) ? `${field.at}.0.${rest}` : path
}

const isAboutName = ({ path, message }: Failure['issues'][number]): boolean =>
  ['wanted', 'value/name', 'value/id'].includes(path) || (path === 'value' && message.startsWith('the name '))

function errorsOf(
  { name, revision, failure }: Draft,
  fields: readonly Field[],
  present: Setting | undefined,
): ReadonlyMap<string, string> {
  if (failure?.code === 'SETTING_CHANGED' && (name === '' || present?.revision === revision))
    return new Map([['wanted', 'There is one of this name already.']])
  return new Map(
    failure?.issues.map((issue) =>
      isAboutName(issue)
        ? ['wanted', issue.message]
        : [controlOf(memberIn(fields, memberOf(issue.path)) || 'value'), issue.message],
    ),
  )
}

/** The label of a member: `When: Failures in a row` of one in a list; its path where the form has none. */
function labelOf(fields: readonly Field[], path: string): string {
  const field = fields.find(({ at }) => path === at || path.startsWith(`${at}.`))
  if (!field) return path
  const rest = path.slice(field.at.length + 1).replace(/^\d+\.?/, '')
  if (field.as !== 'items' || rest === '') return `${field.label}:`
  const inner = field.variants.flatMap((variant) => variant.fields)
  return labelOf(inner, rest)
}

/** The names of the API are those of the configuration; a page has its labels. */
const inWords = (failure: Failure, fields: readonly Field[]): Failure => ({
  ...failure,
  issues: failure.issues.map((issue) => ({
    ...issue,
    path: isAboutName(issue) ? 'Name' : labelOf(fields, memberIn(fields, memberOf(issue.path))),
  })),
})

/** Throws 400 for a form that this console has not made. */
function formIn(context: PageContext, posted: URLSearchParams): Draft & { readonly form: Variant } {
  const kind = kindIn(posted.get('kind'))
  const [before, members] = ['before', 'members'].map((name) => membersOfJson(posted.get(name) ?? ''))
  const name = posted.get('name') ?? ''
  const form = members && formOf(context, kind, name, members)
  if (!before || !members || !form) throw refusal('VALIDATION', 'This form is not complete. Open the setting again.')
  withLists(members, form.fields)
  readFields(members, form.fields, posted, { times: timesOf(posted) })
  const given = (posted.get('wanted') ?? '').trim()
  // A name that is there stays as it is.
  const wanted = isKey(kind) || given === name ? name : nameOf(given)
  return { kind, name, wanted, revision: Number(posted.get('revision')) || 0, before, members, form }
}

/** The name that the configuration takes in the place of a text: `finance-failures`. */
const nameOf = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 63)
    .replace(/-$/, '') || text

export const saveSetting: Operation = {
  scope: 'setting:write',
  verb: 'Save',
  page: afterButton,
  call({ form: posted }, context) {
    const { form, ...draft } = formIn(context, posted)
    return callFor(draft, entryValue(draft.kind, draft.members, form.fields))
  },
  done(answer) {
    const { kind, name } = answer as Setting
    return `The ${KIND_WORDS[kind].one} ${name} is saved and in use.`
  },
  next(answer) {
    const { kind, name, value } = answer as Setting
    if (kind !== 'calendar') return null
    const [date] = listed(membersIn(value).dates).toSorted()
    return withQuery(KIND_WORDS[kind].list, { calendar: name, year: date?.slice(0, 4) })
  },
}

/** The page after a button; null for saving, which has not been tried yet. */
async function afterButton(
  posted: URLSearchParams,
  context: PageContext,
  failure?: Failure,
): Promise<PageContent | null> {
  const { form, ...draft } = formIn(context, posted)
  const { kind, wanted, members } = draft
  const button = posted.get('do') ?? ''
  switch (button) {
    case 'save':
      if (failure) return editorPage(context, { ...draft, failure })
      return wanted === '' ? editorPage(context, { ...draft, failure: wrong('wanted', 'must not be empty') }) : null
    case 'test': {
      const value = entryValue(kind, members, form.fields)
      const tested = await context.ask(TEST_SETTING, { params: { kind, name: wanted || 'new' }, body: { value } })
      const isInvalid = !tested.ok && tested.issues.length > 0
      return editorPage(context, isInvalid ? { ...draft, failure: tested } : { ...draft, tested })
    }
    case 'yaml':
      return editorPage(context, withYaml(draft, posted.get('yaml') ?? ''))
    case 'merge':
    case 'mine':
      return editorPage(context, await rebased(context, draft, button === 'merge'))
    default:
      changeList(members, form.fields, button)
      return editorPage(context, draft)
  }
}

const wrong = (path: string, message: string): Failure => refused('Not saved', [{ path, message }])

/** The form with a text in its place; masks stand for what is in the form now. */
function withYaml(draft: Draft, text: string): Draft {
  const { kind } = draft
  try {
    const [entry, ...others] = entriesIn(text)
    if (entry?.kind !== kind || others.length > 0) {
      return { ...draft, failure: wrong('yaml', `must have one ${KIND_WORDS[kind].one} and nothing else`) }
    }
    const now = draft.members
    const value = mapTexts(entry.value, [], (one, path) => {
      const kept = one === MASK ? memberAt(isKey(kind) ? now.value : now, path.join('.')) : one
      return typeof kept === 'string' ? kept : one
    })
    const notice = 'The YAML is in the form, not saved yet.'
    return { ...draft, members: membersOf(kind, value), wanted: entry.name, notice }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return { ...draft, failure: wrong('yaml', String(error.body.details ?? error.body.error ?? 'cannot be read')) }
  }
}

/** The form on top of the revision of another caller. `merge`: members that were not changed here are theirs. */
async function rebased(context: PageContext, draft: Draft, merge: boolean): Promise<Draft> {
  const { kind, name, before, members } = draft
  const present = await context.ask(SETTING, { params: { kind, name } })
  if (!present.ok) return { ...draft, revision: 0, failure: present }
  const theirs = draftOf(kind, present.data)
  const taken = takenOver({ before, mine: members, theirs: theirs.members }, theirs.revision, merge)
  return { ...draft, ...taken, revision: theirs.revision, before: theirs.before }
}
