/** The call that writes a setting, and the value that a form carries for it. */
import { refusal } from '../http/errors.ts'
import { parseOutsideJson } from '../platform/json.ts'
import { PUT_SETTING } from '../settings/contract.ts'
import type { SettingKind } from '../settings/kinds.ts'
import { type Call, callOf, type Fields } from './forms.tsx'
import { isMembers, type Members } from './schema-form/fields.ts'

interface Entry {
  readonly kind: SettingKind
  readonly name: string
  readonly value: unknown
  /** The one that is replaced, as a form has it; '' = a new entry, which replaces none. */
  readonly revision: string
  /** Another name than it has now. */
  readonly rename?: string | undefined
}

export const putSetting = ({ kind, name, value, revision, rename }: Entry): Call =>
  callOf(PUT_SETTING, {
    params: { kind, name },
    body: { value, ...(rename !== undefined && { name: rename }) },
    headers: revision === '' ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` },
  })

/** The object that a text is in JSON; null for a text that is none. */
export function jsonIn(text: string): Members | null {
  try {
    const value: unknown = text === '' ? null : parseOutsideJson(text)
    return isMembers(value) && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

/** The JSON in the field `value`; undefined for an empty one. Throws 400 for a text that is none. */
export function valueIn({ get }: Pick<Fields, 'get'>): unknown {
  if (get('value') === '') return undefined
  try {
    return parseOutsideJson(get('value'))
  } catch {
    throw refusal('VALIDATION', 'value: is no JSON')
  }
}
