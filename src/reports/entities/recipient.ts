/** Recipients and their groups. */
import { z } from 'zod'
import { once } from '../../platform/once.ts'
import { address, description, ids, line, name, zone } from './fields.ts'

const qlikUser = once(() => z.strictObject({ userDirectory: line(256), userId: line(256) }))
export type QlikUser = z.output<ReturnType<typeof qlikUser>>

export const recipient = once(() =>
  z.strictObject({
    name,
    email: address().transform((value) => value.toLowerCase()),
    qlikUser: qlikUser().nullable().default(null),
    filterIds: ids(50),
    timezone: zone().optional(),
    locale: line(35).optional(),
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
