/** Which tasks may be started, and how many at a time. */
import { z } from 'zod'
import { count, duration, flag, list, noted, object, section, word } from '../../config/fields.ts'

export const startTaskFilter = section(
  'Which tasks may be started through Footman.',
  () => ({
    enable: flag('Only start what allowTask names.'),
    allowTask: section('Allowed tasks; the three lists are added up. All empty = none.', () => ({
      taskId: list('Allowed task ids.', z.string()),
      tag: list('Tasks with one of these tags are allowed.', z.string()),
      customProperty: list(
        'Tasks with one of these custom property values are allowed.',
        object(() => ({
          name: z.string().min(1).meta({ description: 'Name of the custom property.' }),
          value: z.string().meta({ description: 'Its value.' }),
        })),
      ),
    })),
  }),
  { closed: true },
)

/** The ways in to which the filter can apply. */
const START_ORIGINS = ['rest', 'mqtt', 'followUp', 'cli', 'console', 'schedule', 'retry'] as const

const DEFAULT_ORIGINS: (typeof START_ORIGINS)[number][] = ['rest', 'mqtt', 'followUp', 'cli', 'console']

export const startFilter = section('More about startTaskFilter.', () => ({
  appliesTo: noted(z.array(word(START_ORIGINS)).prefault(DEFAULT_ORIGINS), {
    description: 'Ways of starting a task to which startTaskFilter applies.',
    nullable: 'absent',
  }),
}))

export const startQueue = section('Queue of tasks to start.', () => ({
  maxConcurrent: count('Most tasks that Footman has started and that are not finished; 0 = no limit.', 0, {
    min: 0,
    max: 1000,
  }),
  maxAge: duration('Entries older than this are dropped.', '24h'),
}))

export type StartQueueConfig = z.output<typeof startQueue>
