/** Checks the values of a configuration and fills in the defaults. */
import { z } from 'zod'
import { butler, type Config, defaults } from '../schema.ts'

export type Parsed = { readonly config: Config } | { readonly issues: readonly z.core.$ZodIssue[] }

type Values = Readonly<Record<string, unknown>>

/** Zod would compile code for every section, for a single use. */
const OPTIONS = { reportInput: true, jitless: true } as const

/**
 * Does what `butler.safeParse` does, without looking at sections that are not written: their values are known, and
 * their schemas need not even be built. `input` is what stands below `Butler`, without keys that the schema does not know.
 */
export function parseConfig(input: unknown): Parsed {
  const issues: z.core.$ZodIssue[] = []

  function parse(schema: z.ZodType, value: unknown, fallback: unknown, path: readonly PropertyKey[]): unknown {
    const shape = shapeOf(schema)
    if (shape && isValues(value) && isValues(fallback)) return parseSection(shape, value, fallback, path)
    const { data, error } = schema.safeParse(value, OPTIONS)
    for (const issue of error?.issues ?? []) issues.push({ ...issue, path: [...path, ...issue.path] })
    return data
  }

  function parseSection(shape: z.ZodRawShape, written: Values, fallback: Values, path: readonly PropertyKey[]): Values {
    const parsed: Record<string, unknown> = { ...fallback }
    for (const [key, value] of Object.entries(written)) {
      if (!Object.hasOwn(shape, key)) continue
      parsed[key] = parse(shape[key] as z.ZodType, value, fallback[key], [...path, key])
    }
    return parsed
  }

  const config = parse(butler, input, defaults(), []) as Config
  return issues.length > 0 ? { issues } : { config }
}

/** The keys of a plain section; null for anything else, sections with a conversion of their own included. */
function shapeOf(schema: z.ZodType): z.ZodRawShape | null {
  if (!(schema instanceof z.ZodPrefault)) return null
  const lazy = schema.def.innerType
  // Not `unwrap()`, which builds the keys anew each time.
  const object = lazy instanceof z.ZodLazy ? lazy._zod.innerType : null
  return object instanceof z.ZodObject ? object.def.shape : null
}

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
