/** Sections about the process itself: logging, folders, node, shutdown. */
import { z } from 'zod'
import { LOG_LEVELS } from '../platform/types.ts'
import { choice, duration, file, flag, section, size, text, timezone } from './fields.ts'

const MINUTE = 60_000

/** See `compatibility.ts`. */
export const COMPATIBILITIES = ['auto', 'butler', 'strict'] as const

export const logLevel = choice('Log threshold: a level shows itself and everything more important.', LOG_LEVELS, 'info')
export const fileLogging = flag('Also write a daily log file.')
export const logDirectory = file('Folder of the log files.', 'log')

export const anonTelemetry = z
  .unknown()
  .optional()
  .meta({ description: 'Accepted for compatibility with any value; Footman sends no telemetry.', ignored: true })

export const systemInfo = section('Details about the host in the start banner.', () => ({
  enable: flag('Show more details. Nothing else depends on it.'),
}))

export const logging = section('Form and life of the log.', () => ({
  format: choice('Form of a line: `text` as Butler writes it, or `json`.', ['text', 'json'], 'text'),
  maxFileSize: size('A log file that has grown to this size is continued in a new numbered file.', '100MB'),
  keep: duration('Log files older than this are deleted.', '30d'),
  maxTotalSize: size('All log files together; beyond that the oldest are deleted, never the current one.', '500MB'),
  accessLog: flag('One info line per request of the REST API; otherwise these lines are at debug level.'),
}))

export const shutdown = section('Stopping.', () => ({
  grace: duration('Time to finish work and hand back the rest when asked to stop.', '10s', {
    min: 1000,
    max: 2 * MINUTE,
  }),
}))

export const node = section('This node, when several Footmans share a Qlik Sense site.', () => ({
  name: text('Name of the node.', '', { defaultText: 'host name' }),
  role: choice(
    'A satellite receives events and offers REST, files and key-value pairs, but leaves MQTT starts, schedules, the reconciler, licence jobs and retries to the primary.',
    ['primary', 'satellite'],
    'primary',
  ),
}))

export const compatibility = choice(
  'Where taking a file of Butler over unchanged and being strict differ (docs/from-butler.md): as Butler did, or strict. `auto` means `butler` when the file has no key `footman`, else `strict`.',
  COMPATIBILITIES,
  'auto',
)
export const dataDirectory = file('Folder of the databases; relative to the configuration file.', 'data')
export const templateDirectory = file('Folder of your own templates.', 'templates')
export const zone = timezone('Time zone of windows, calendars, texts and day limits.', '', {
  defaultText: 'zone of this computer',
}).meta({ label: 'Time zone', lookup: 'timezone' })
export const frequencyTimezone = timezone('Time zone of the wall clock in frequency texts.', 'UTC')
export const shadow = flag('Receive, enrich, render and record everything, but send nothing and start nothing.')
export const watchConfig = flag('Apply a changed configuration file without a restart where that is possible.', true)

export type NodeConfig = z.output<typeof node>
