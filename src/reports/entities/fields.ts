/** Members that several definitions of report tasks share. */
import { z } from 'zod'
import { isTimezone } from '../../config/fields.ts'
import { shape } from '../../http/endpoint/contract.ts'
import { isEmailAddress } from '../../platform/mail-addresses.ts'

const LINE = /^[^\p{Cc}]*$/u
export const line = (max: number, min = 1) => {
  const error = min === 0 ? `must be at most ${max} characters` : `must be ${min}-${max} characters`
  return z.string().min(min, { error }).max(max, { error }).regex(LINE, 'must not hold control characters')
}
export const name = line(200).meta({ order: -4 })
export const project = line(64).default('default').meta({ order: -3 })
export const description = () => z.string().max(4000).default('').meta({ control: 'area', order: -2 })
export const tags = () => z.array(line(200)).max(50).default([]).meta({ hint: 'One a line' })
export const id = () => z.guid('must be a GUID').toLowerCase()
export const ids = (max: number) => z.array(id()).max(max).default([])
/** An address without a name. Whether its domain is allowed is checked with the settings. */
export const address = () => z.string().refine(isEmailAddress, 'must be an e-mail address')
export const expression = () =>
  z
    .string()
    .max(8000)
    .refine((text) => /[^\s=]/.test(text), { error: 'must not be empty', params: { code: 'INVALID_EXPRESSION' } })

export const fieldName = () => z.string().min(1).max(256)
export const key = () =>
  z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'must be 1-32 of a-z, 0-9, _ and -, the first no _ or -')

export const bindingKey = () =>
  z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,31}$/, 'must be a letter, then up to 31 letters, digits or _')

export const pattern = line(1000, 0)
export const zone = () =>
  z.string().refine(isTimezone, {
    error: 'must be an IANA time zone like Europe/Stockholm',
    params: { code: 'INVALID_TIMEZONE' },
  })

/** A field name, `=expression`, or a master item of the app. */
export const source = shape('ReportSource', () =>
  z
    .union([expression(), z.strictObject({ libraryId: line(100) })])
    .meta({ control: 'source', hint: 'A field name, =expression, or {"libraryId": "..."}' }),
)
export type Source = z.output<ReturnType<typeof source>>

export const FORMAT = { hint: '#,##0' }
export const PATTERN = { hint: 'May hold {task}, {report}, {cycle}, {date:yyyy-MM-dd}' }
/** The words of a filter list in a form. */
export const FILTERS = { label: 'Filters', lookup: 'filter' }

export const column = shape('ReportColumn', () =>
  z.strictObject({
    label: line(200, 0),
    expr: source().meta({ label: 'Content' }),
    kind: z.enum(['dimension', 'measure']),
    format: line(100).optional().meta(FORMAT),
  }),
)
export type ColumnDefinition = z.output<ReturnType<typeof column>>

/** The members that Footman adds to each definition. */
export const storedMembers = () => ({
  id: z.string(),
  createdAt: z.string(),
  createdBy: z.string().describe('`key:<id>` or another kind of caller.'),
  modifiedAt: z.string(),
  modifiedBy: z.string(),
  revision: z.int().describe('From 1, grows with each change; also in the header `ETag`, as `"r7"`.'),
})
type StoredMembers = ReturnType<typeof storedMembers>

/** A definition as it is kept. */
export type Stored<Entity> = Entity & { readonly [Name in keyof StoredMembers]: z.output<StoredMembers[Name]> }

export const STORED_MEMBERS = [
  'id',
  'createdAt',
  'createdBy',
  'modifiedAt',
  'modifiedBy',
  'revision',
] as const satisfies readonly (keyof StoredMembers)[]
