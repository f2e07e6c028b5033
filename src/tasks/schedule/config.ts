/** `Butler.scheduler`, `Butler.footman.scheduler`, `Butler.footman.calendars`. */
import { z } from 'zod'
import { choice, duration, file, flag, namedCalendars, section } from '../../config/fields.ts'

export const scheduler = section('Schedules that start tasks.', () => ({
  enable: flag('Run schedules.').meta({
    label: 'Schedules',
    hint: 'Footman starts tasks at the times of its own schedules.',
  }),
  configfile: file('File of the schedules.', 'config/schedule.yaml'),
}))

export const footmanScheduler = section('More about schedules.', () => ({
  monthBase: z
    .union([z.literal(0), z.literal(1)])
    .default(0)
    .meta({ description: 'Number of January in cron expressions of schedules: 0 as in Butler, or 1.' }),
  restoreState: choice(
    'The state that decides whether a schedule runs after a start: startupState, lastKnownState or both.',
    ['both', 'startup', 'lastKnown'],
    'both',
  ),
  ignoreTimezone: flag('Run all schedules in the zone of this computer, as Butler does.'),
  misfireGrace: duration(
    'The newest missed firing happens when it is late by less than this; earlier ones of the same gap do not.',
    '60s',
  ),
  appDumpDirectory: file('Folder of app dumps made by schedules.', '', { defaultText: '<dataDirectory>/appdump' }),
}))

export const calendars = namedCalendars

export type SchedulerConfig = z.output<typeof scheduler>
export type FootmanSchedulerConfig = z.output<typeof footmanScheduler>
export type Calendar = z.output<typeof calendars>[string]
