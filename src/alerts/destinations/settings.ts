/** Settings that all destinations have, fields that several types share, and findings about settings. */

import { z } from 'zod'
import { choice, count, durationField, file, flag, httpUrl, map, requiredHttpUrl, text } from '../../config/fields.ts'
import { errorText } from '../../platform/errors.ts'

/** Forms have the common settings behind those of the type. */
const COMMON = 1

/** Built anew at each call, like the settings of a type. */
export const commonSettings = () => ({
  enable: flag('Send to it.', true).meta({ label: 'Switched on', order: COMMON, advanced: true }),
  timeout: durationField({ min: 1000, max: 600_000 }).prefault('10s').meta({
    description: 'Time-out of one attempt.',
    format: 'duration',
    label: 'Time-out',
    hint: 'For one attempt, like 10s or 1m.',
    order: COMMON,
    advanced: true,
  }),
  rejectUnauthorized: flag('Refuse a server certificate that cannot be verified.', true).meta({
    label: 'Verify the certificate of the server',
    order: COMMON,
    advanced: true,
  }),
  caFile: file('Certificate authority of the server (PEM).').meta({
    label: 'File of the certificate authority',
    hint: 'A PEM file on this machine, for servers with certificates of your own; needs the scope admin.',
    order: COMMON,
    advanced: true,
  }),
  headScriptLogLines: count('First lines of the script log in messages about reloads.', 15).meta({
    label: 'First lines of the script log',
    order: COMMON,
    advanced: true,
  }),
  tailScriptLogLines: count('Last lines of the script log in messages about reloads.', 15).meta({
    label: 'Last lines of the script log',
    order: COMMON,
    advanced: true,
  }),
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
  ).meta({ label: 'HTTP headers', hint: 'One a line, like Authorization=Bearer 123.', secret: true })

/** Address of an incoming webhook of a chat, which is all that is needed to post there. */
export const webhookAddress = (hint: string) =>
  requiredHttpUrl('Address to post to.').meta({ label: 'Webhook address', hint, secret: true })

export const senderName = (fallback: string) =>
  text('Name of the sender.', fallback).meta({
    label: 'Name of the sender',
    hint: 'Shown above the messages.',
    advanced: true,
  })

export const messageType = () =>
  choice('basic: one line of text; formatted: with details.', ['basic', 'formatted'], 'formatted').meta({
    label: 'Form of the message',
    hint: 'A single line, or with the details of the event.',
    texts: { basic: 'one line of text', formatted: 'with details' },
    advanced: true,
  })

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
