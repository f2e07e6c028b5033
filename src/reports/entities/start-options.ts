/** Options of a start, as requests by HTTP and MQTT give them. */
import { z } from 'zod'

export const OPTION_MEMBERS = {
  test: z.boolean().default(false),
  testAddress: z.string().max(320).nullable().default(null),
  dryRun: z.boolean().default(false),
  ignoreConditions: z.boolean().default(false),
  reports: z.array(z.string()).min(1).max(50).nullable().default(null),
  recipients: z.array(z.string()).min(1).max(1000).nullable().default(null),
  reason: z.string().max(1000).nullable().default(null),
}

export type Option = keyof typeof OPTION_MEMBERS
export const OPTIONS = Object.keys(OPTION_MEMBERS) as [Option, ...Option[]]
