/** Recipients and their groups. */
import { z } from 'zod'
import { shape } from '../../http/endpoint/contract.ts'
import { address, description, FILTERS, ids, line, name, zone } from './fields.ts'

const qlikUser = shape('QlikUser', () =>
  z.strictObject({ userDirectory: line(256).meta({ label: 'Directory' }), userId: line(256).meta({ label: 'User' }) }),
)
export type QlikUser = z.output<ReturnType<typeof qlikUser>>

/** People share documents, so that a language of one of them cannot be that of a document. */
const WITHOUT_EFFECT =
  'Kept for other programs, without effect: documents have that of the report, mails that of the configuration.'

export const recipient = shape('RecipientInput', () =>
  z.strictObject({
    name,
    email: address().toLowerCase().meta({ label: 'Address', order: -1 }),
    qlikUser: qlikUser().nullable().default(null).meta({ label: 'Qlik user' }),
    filterIds: ids(50).meta(FILTERS),
    timezone: zone().optional().describe(WITHOUT_EFFECT).meta({ label: 'Time zone (without effect)', advanced: true }),
    locale: line(35).optional().describe(WITHOUT_EFFECT).meta({ label: 'Language (without effect)', advanced: true }),
    active: z.boolean().default(true).meta({ label: 'Gets reports', order: -1 }),
    attributes: z
      .record(line(64), z.string().max(1000))
      .refine((value) => Object.keys(value).length <= 50, 'must have at most 50 members')
      .default({})
      .meta({ hint: 'name=value, one a line' }),
    source: z.enum(['manual', 'import', 'qrs']).default('manual').meta({ control: 'none' }),
  }),
)
export type Recipient = z.output<ReturnType<typeof recipient>>

/** Columns of a table of recipients, in the order in which messages name them; `attributes.NAME` are others. */
export const RECIPIENT_COLUMNS = [
  'name',
  'email',
  'userDirectory',
  'userId',
  'groups',
  'timezone',
  'locale',
] as const satisfies readonly (keyof Recipient | keyof QlikUser | 'groups')[]
export type RecipientColumn = (typeof RECIPIENT_COLUMNS)[number]

export const recipientGroup = shape('RecipientGroupInput', () =>
  z.strictObject({
    name,
    description: description(),
    memberIds: ids(10_000).meta({ label: 'Members', lookup: 'recipient' }),
    filterIds: ids(50).meta(FILTERS),
    dynamic: z
      .strictObject({
        type: z.literal('qrs'),
        filter: line(4000).meta({ label: 'QRS filter', hint: "userDirectory eq 'COMPANY'" }),
      })
      .nullable()
      .default(null)
      .meta({ label: 'Users of Qlik Sense' }),
  }),
)
export type RecipientGroup = z.output<ReturnType<typeof recipientGroup>>
