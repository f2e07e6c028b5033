/** Settings that all destinations have, fields that several types share, and findings about settings. */

import { z } from 'zod'
import { choice, count, durationField, file, flag, httpUrl, map } from '../../config/fields.ts'
import { errorText } from '../../platform/errors.ts'

/** Built anew at each call, like the settings of a type. */
export const commonSettings = () => ({
  enable: flag('Send to it.', true),
  timeout: durationField({ min: 1000, max: 600_000 })
    .prefault('10s')
    .meta({ description: 'Time-out of one attempt.', format: 'duration' }),
  rejectUnauthorized: flag('Refuse a server certificate that cannot be verified.', true),
  caFile: file('Certificate authority of the server (PEM).'),
  headScriptLogLines: count('First lines of the script log in messages about reloads.', 15),
  tailScriptLogLines: count('Last lines of the script log in messages about reloads.', 15),
})

export type Fields = Readonly<Record<string, z.ZodType>>
export type CommonSettings = z.output<z.ZodObject<ReturnType<typeof commonSettings>>> & { readonly type: string }
/** The parsed settings of a type whose own keys `config` makes. */
export type SettingsOf<Config extends () => Fields> = CommonSettings & z.output<z.ZodObject<ReturnType<Config>>>

export const serverUrl = (description: string, fallback: string) =>
  httpUrl(description, fallback).refine((value) => value !== '', { error: 'must be an address' })

export const httpHeaders = () =>
  map(
    'HTTP headers.',
    z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'must be one line of plain text' }),
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, {
      error: (issue) => `must be the name of an HTTP header, found "${issue.input}"`,
    }),
  )

export const messageType = () =>
  choice('basic: one line of text; formatted: with details.', ['basic', 'formatted'], 'formatted')

/** A key ('' = the destination as a whole) and what is wrong with its value. */
export type Finding = readonly [key: string, message: string]

/** A problem that `footman check` prints: the form of the configuration loader, which adds file and line. */
export interface SettingProblem {
  readonly severity: 'error' | 'warning'
  /** `Butler.emailNotification.reloadTaskFailure.subject` */
  readonly path: string
  readonly message: string
  readonly hint?: string
}

/** Renders a sample; the message of an error becomes a finding of the key. */
export async function problemsIn(key: string, render: () => Promise<void>): Promise<readonly Finding[]> {
  try {
    await render()
    return []
  } catch (error) {
    return [[key, errorText(error)]]
  }
}
