/** Recipients and their groups. */
import { z } from 'zod'
import { once } from '../../platform/once.ts'
import { address, description, ids, line, name, zone } from './fields.ts'

const qlikUser = once(() => z.strictObject({ userDirectory: line(256), userId: line(256) }))
export type QlikUser = z.output<ReturnType<typeof qlikUser>>

/** People share documents, so that a language of one of them cannot be that of a document. */
const WITHOUT_EFFECT =
  'Kept for other programs, without effect: documents have that of the report, mails that of the configuration.'

export const recipient = once(() =>
  z.strictObject({
    name,
    email: address().toLowerCase(),
    qlikUser: qlikUser().nullable().default(null),
    filterIds: ids(50),
    timezone: zone().optional().describe(WITHOUT_EFFECT),
    locale: line(35).optional().describe(WITHOUT_EFFECT),
    active: z.boolean().default(true),
    attributes: z
      .record(line(64), z.string().max(1000))
      .refine((value) => Object.keys(value).length <= 50, 'must have at most 50 members')
      .default({}),
    source: z.enum(['manual', 'import', 'qrs']).default('manual'),
  }),
)
export type Recipient = z.output<ReturnType<typeof recipient>>

export const recipientGroup = once(() =>
  z.strictObject({
    name,
    description: description(),
    memberIds: ids(10_000),
    filterIds: ids(50),
    dynamic: z
      .strictObject({ type: z.literal('qrs'), filter: line(4000) })
      .nullable()
      .default(null),
  }),
)
export type RecipientGroup = z.output<ReturnType<typeof recipientGroup>>
