/** The query parameters that lists have in common, for the description of the API. */
import { z } from 'zod'

export const LIST_PARAMETERS = {
  from: z
    .string()
    .describe('An ISO 8601 time, inclusive; or a length of time that counts back from now, like `24h`.')
    .optional(),
  to: z.string().describe('An ISO 8601 time, exclusive; or a length of time that counts back from now.').optional(),
  limit: z.int().min(1).max(500).describe('How many at most. Default 100.').optional(),
  cursor: z.string().describe('`nextCursor` of the answer before.').optional(),
}
