/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Parts of all pages that show settings: where one comes from, its state, who uses it, and its buttons. */
import type { Child, FC } from 'hono/jsx'
import { SETTINGS, SETTINGS_OF, type Setting } from '../../settings/contract.ts'
import { type SettingKind, scopesOfChange } from '../../settings/kinds.ts'
import type { Asked } from '../ask.ts'
import type { PageContext } from '../page.ts'
import { EDITOR_PATH, KIND_WORDS } from '../setting-kinds.ts'
import { ActionLink } from './forms.tsx'
import { Badge } from './marks.tsx'
import { Name } from './text.tsx'

export interface SettingList {
  readonly settings: readonly Setting[]
  /** Why nothing can be changed; null = it can. */
  readonly locked: string | null
}

export async function askSettings({ ask }: Pick<PageContext, 'ask'>, kind: SettingKind): Promise<Asked<SettingList>> {
  const [kinds, answer] = await Promise.all([ask(SETTINGS), ask(SETTINGS_OF, { params: { kind } })])
  if (!answer.ok) return answer
  return { ...answer, data: { settings: answer.data.settings, locked: kinds.ok ? kinds.data.locked : null } }
}

/** The entry of that name that is in use; of one that the file hides, that of the file. */
export const usedSetting = (settings: readonly Setting[], name: string): Setting | undefined =>
  settings.find((one) => one.name === name && one.state === 'used')

export const placeText = ({ file, line }: Pick<Setting, 'file' | 'line'>): string =>
  file === null ? '' : `${file}${line === null ? '' : `:${line}`}`

export const Source: FC<{ readonly setting: Setting }> = ({ setting }) => {
  const place = (
    <span title={placeText(setting)}>
      <Name text={placeText(setting).replace(/^.*[\\/]/, '')} />
    </span>
  )
  if (setting.source === 'file') {
    return (
      <>
        {place}
        <p class="sub">read-only, stands in the file</p>
      </>
    )
  }
  return setting.state === 'hidden' ? <>console, hidden by {place}</> : 'console'
}

/** A state that is worth a word, with its reasons. */
export const SettingState: FC<{ readonly setting: Setting }> = ({ setting: { state, issues } }) => (
  <>
    {state !== 'used' && <Badge tone="warn" text={state} />}
    {issues.map(({ path, message }) => (
      <p class="sub">
        <Name text={`${path} ${message}`.trim()} />
      </p>
    ))}
  </>
)

export const UsedBy: FC<{ readonly context: PageContext; readonly setting: Setting }> = ({ context, setting }) =>
  setting.usedBy.length === 0 ? (
    <span class="muted">–</span>
  ) : (
    setting.usedBy.map((use) => (
      <p>
        {use.setting ? (
          <>
            {KIND_WORDS[use.setting.kind].one}{' '}
            <a href={editorOf(context, use.setting.kind, use.setting.name)}>
              <Name text={use.setting.name} />
            </a>
          </>
        ) : (
          <span title={placeText(use) || undefined}>
            <Name text={use.path.replace(/^footman\./, '')} />
          </span>
        )}
      </p>
    ))
  )

const editorOf = ({ link }: Pick<PageContext, 'link'>, kind: SettingKind, name?: string): string =>
  link(EDITOR_PATH, { kind, name })

/** Why a change to this value cannot be made: settings are locked, or the person lacks a scope. */
export function whyNot(
  { may }: Pick<PageContext, 'may'>,
  locked: string | null,
  ...change: Parameters<typeof scopesOfChange>
): string | null {
  if (locked !== null) return locked
  const missing = ['setting:write', ...scopesOfChange(...change)].find((scope) => !may(scope))
  return missing === undefined ? null : `This needs the scope ${missing}`
}

const EditorLink: FC<{
  readonly href: string
  readonly off: string | null
  readonly class: string
  readonly text: Child
}> = ({ href, off, class: look, text }) =>
  off === null ? (
    <a class={`btn ${look}`} href={href}>
      {text}
    </a>
  ) : (
    <button type="button" class={`btn ${look}`} disabled title={off}>
      {text}
    </button>
  )

/** The way to the editor of a new entry. */
export const NewSetting: FC<{
  readonly context: PageContext
  readonly kind: SettingKind
  readonly locked: string | null
  readonly text: string
}> = ({ context, kind, locked, text }) => (
  <EditorLink
    href={editorOf(context, kind)}
    off={whyNot(context, locked, kind, '', null)}
    class="primary"
    text={text}
  />
)

interface OneProps {
  readonly context: PageContext
  readonly setting: Setting
  readonly locked: string | null
}

/** The way to the editor of an entry that has a value, or may get one. */
export const EditSetting: FC<{
  readonly context: PageContext
  readonly kind: SettingKind
  readonly name: string
  readonly value?: unknown
  readonly locked: string | null
}> = ({ context, kind, name, value, locked }) => (
  <EditorLink
    href={editorOf(context, kind, name)}
    off={whyNot(context, locked, kind, name, value)}
    class="s"
    text="Edit"
  />
)

export const DeleteSetting: FC<OneProps & { readonly text?: string }> = ({ context, setting, locked, text }) => {
  const { kind, name, value, revision } = setting
  return (
    <ActionLink
      context={context}
      operation="setting.delete"
      scope="setting:write"
      values={{ kind, name, revision }}
      off={whyNot(context, locked, kind, name, value)}
      harmless
    >
      {text ?? 'Delete…'}
    </ActionLink>
  )
}

/** Edit and delete an entry of the store; look at one of the file. */
export const SettingButtons: FC<OneProps> = ({ context, setting, locked }) => {
  const { kind, name, value, source } = setting
  if (source === 'file') return <EditorLink href={editorOf(context, kind, name)} off={null} class="s" text="Show" />
  return (
    <span class="tools">
      <EditSetting context={context} kind={kind} name={name} value={value} locked={locked} />
      <DeleteSetting context={context} setting={setting} locked={locked} />
    </span>
  )
}
