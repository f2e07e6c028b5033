/** The calls that write a setting, and the value that a form carries for one. */
import { refusal } from '../http/errors.ts'
import { parseOutsideJson } from '../platform/json.ts'
import { MOVE_SETTING, PUT_SETTING } from '../settings/contract.ts'
import type { SettingKind } from '../settings/kinds.ts'
import { type Call, callOf, type Fields } from './forms.tsx'

interface Entry {
  readonly kind: SettingKind
  readonly name: string
  readonly value: unknown
  /** The one that is replaced, as a form has it; '' = a new entry, which replaces none. */
  readonly revision: string
  /** Another name than it has now. */
  readonly rename?: string | undefined
}

/** Changes the revision that a form has shown; '' = there was none. */
export const revisionHeader = (revision: string): Record<string, string> =>
  revision === '' ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` }

export const putSetting = ({ kind, name, value, revision, rename }: Entry): Call =>
  callOf(PUT_SETTING, {
    params: { kind, name },
    body: { value, ...(rename !== undefined && { name: rename }) },
    headers: revisionHeader(revision),
  })

export const moveSetting = (
  { kind, name, revision }: Pick<Entry, 'kind' | 'name' | 'revision'>,
  position: number,
): Call => callOf(MOVE_SETTING, { params: { kind, name }, body: { position }, headers: revisionHeader(revision) })

/** The JSON in the field `value`; undefined for an empty one. Throws 400 for a text that is none. */
export function valueIn({ get }: Pick<Fields, 'get'>): unknown {
  if (get('value') === '') return undefined
  try {
    return parseOutsideJson(get('value'))
  } catch {
    throw refusal('VALIDATION', 'value: is no JSON')
  }
}
