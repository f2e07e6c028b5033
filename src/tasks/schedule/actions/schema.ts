/** What a schedule can do besides starting tasks, as people write it. */
import { z } from 'zod'
import { durationText, nameText, oneOrMany } from '../../../config/fields.ts'
import type { ScheduleAction } from '../types.ts'

const globList = oneOrMany('Globs.', z.string().min(1)).optional()

const apps = z.strictObject({ appId: globList, stream: globList, name: globList })

export const actionSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('startTask') }),
    z.strictObject({
      type: z.literal('appDump'),
      folder: nameText,
      apps: apps.optional(),
      keep: z.int().min(1).max(1_000_000).default(14),
      maxAge: durationText().optional(),
    }),
    z.strictObject({ type: z.literal('webhook'), destination: nameText, body: z.string().default('') }),
  ])
  .transform((action): ScheduleAction => {
    if (action.type !== 'appDump') return action
    const { folder, keep, maxAge = null, apps: { appId = null, stream = null, name = null } = {} } = action
    return { type: 'appDump', folder, keep, maxAgeMs: maxAge, apps: { appId, stream, name } }
  })
