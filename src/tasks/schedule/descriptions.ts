/** Calls of the scheduler, for the description of the API. */
import { z } from 'zod'
import type { RouteDescription } from '../../http/endpoint/description.ts'
import { LIST_PARAMETERS } from '../../http/endpoint/list-schemas.ts'
import { NEW_SCHEDULE, SCHEDULE_CHANGES, SELECTED } from './requests.ts'
import { RUN_OUTCOMES } from './types.ts'

const PARAMS = z.object({ id: z.string().describe('Id of the schedule.') })
const ID = 'Manually-added-schedule-1'

const stored = z.looseObject({
  id: z.string(),
  created: z.string().optional(),
  name: z.string(),
  cronSchedule: z.string(),
  timezone: z.string(),
  qlikSenseTaskId: z.string(),
  startupState: z.string(),
  tags: z.array(z.string()).optional(),
  lastKnownState: z.string().optional(),
})

const listed = stored.extend({
  nextRun: z.string().describe('When it fires next; skipped firings do not count.').optional(),
  lastRun: z.string().describe('When it fired last.').optional(),
  lastResult: z.string().describe('`ok`, or `error: ` and why.').optional(),
})

const CHANGE_FAILURES = {
  409: 'This Footman is a satellite, or runs in shadow mode.',
  500: 'The schedule file could not be read or written; nothing has changed.',
}
const WRITE_FAILURES = { ...CHANGE_FAILURES, 502: 'QRS could not be asked whether the tasks may be started.' }

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'

const EXAMPLE = {
  name: 'Weekdays 06-18, on the hour and half past',
  cronSchedule: '0,30 6-18 * * 1-5',
  timezone: 'Europe/Paris',
  qlikSenseTaskId: TASK,
  startupState: 'stopped',
  id: ID,
}

export const LIST: RouteDescription = {
  summary: 'List the schedules',
  description: 'All of them, or with `id` a list of one.',
  schemas: {
    query: z.object({ id: z.string().describe('Only this schedule, with all its members.').optional() }),
    responses: { 200: z.array(listed) },
  },
  examples: [
    { name: 'all', status: 200, answer: [EXAMPLE] },
    { name: 'one', query: { id: ID }, status: 200, answer: [EXAMPLE] },
  ],
}

const CREATED = {
  timezone: 'Europe/Stockholm',
  tags: ['tag 1', 'abc 123 åäö'],
  qlikSenseTaskId: TASK,
  name: 'Mornings',
  cronSchedule: '0 6 * * 1-5',
  startupState: 'started',
}

export const CREATE: RouteDescription = {
  summary: 'Create a schedule',
  description:
    'Months in numbers count from 0. Further members: `target`, `action`, `window`, `onlyOn`, `notOn`, `shift`, `overlapPolicy`, `misfirePolicy`, `jitter`; others are kept as they are.',
  schemas: { body: NEW_SCHEDULE, responses: { 201: stored } },
  failures: WRITE_FAILURES,
  examples: [
    {
      name: 'mornings',
      body: CREATED,
      status: 201,
      answer: {
        ...CREATED,
        ...{
          id: 'f95ec4d5-5e87-40a5-922a-a9d4ff8319f0',
          created: '2026-11-21T00:24:50.751Z',
          lastKnownState: 'started',
        },
      },
    },
  ],
}

export const UPDATE: RouteDescription = {
  summary: 'Change a schedule',
  description: 'Members that are not given stay; `null` takes one of the further members away.',
  schemas: { params: PARAMS, body: SCHEDULE_CHANGES, responses: { 200: z.array(stored) } },
  failures: WRITE_FAILURES,
  examples: [
    {
      name: 'later',
      params: { id: ID },
      body: { cronSchedule: '0,30 7-18 * * 1-5' },
      status: 200,
      answer: [{ ...EXAMPLE, cronSchedule: '0,30 7-18 * * 1-5' }],
    },
  ],
}

export const DELETE: RouteDescription = {
  summary: 'Delete a schedule',
  schemas: { params: PARAMS, responses: { 204: z.void().describe('Deleted.') } },
  failures: CHANGE_FAILURES,
  examples: [{ name: 'one', params: { id: ID }, status: 204 }],
}

const state = (summary: string, lastKnownState: string): RouteDescription => ({
  summary,
  schemas: { params: PARAMS, responses: { 200: z.array(stored) } },
  failures: CHANGE_FAILURES,
  examples: [{ name: 'one', params: { id: ID }, status: 200, answer: [{ ...EXAMPLE, lastKnownState }] }],
})

export const START = state('Start a schedule', 'started')
export const STOP = state('Stop a schedule', 'stopped')

const states = (summary: string, lastKnownState: string): RouteDescription => ({
  summary,
  description: 'All of them, or those of the body.',
  schemas: { body: SELECTED.optional(), responses: { 200: z.array(stored) } },
  failures: CHANGE_FAILURES,
  examples: [{ name: 'some', body: { id: [ID] }, status: 200, answer: [{ ...EXAMPLE, lastKnownState }] }],
})

export const START_ALL = states('Start schedules', 'started')
export const STOP_ALL = states('Stop schedules', 'stopped')

export const STATUS: RouteDescription = {
  summary: 'Which schedules run',
  schemas: { responses: { 200: z.string().describe('A line per schedule.') } },
  examples: [{ name: 'all', status: 200, answer: `{\n'${ID}': 0,30 6-18 * * 1-5 status: Running \n}` }],
}

const COMING = z.object({
  next: z.array(z.string()).describe('Times that calendars and windows let through.'),
  text: z.string().describe('The cron expression in words.'),
})
const COMING_EXAMPLE = {
  next: ['2026-03-02T05:00:00.000Z'],
  text: 'at 06:00, Monday to Friday (Europe/Stockholm)',
}

export const NEXT: RouteDescription = {
  summary: 'When a schedule fires next',
  schemas: {
    params: PARAMS,
    query: z.object({ count: z.int().min(1).max(100).describe('How many times. Default 10.').optional() }),
    responses: { 200: COMING },
  },
  examples: [{ name: 'next', params: { id: ID }, query: { count: '1' }, status: 200, answer: COMING_EXAMPLE }],
}

export const PREVIEW: RouteDescription = {
  summary: 'When a schedule would fire',
  description: 'With the members of a schedule that decide about its times. Nothing is created.',
  schemas: {
    body: z.object({
      cronSchedule: z.string().describe('5 or 6 fields, months 0-11 or jan-dec.'),
      timezone: z.string().describe('IANA time zone.'),
      count: z.int().min(1).max(100).describe('How many times. Default 10.').optional(),
      window: z.unknown().describe('Window or list of windows.').optional(),
      onlyOn: z.unknown().describe('Calendars.').optional(),
      notOn: z.unknown().describe('Calendars.').optional(),
      shift: z.unknown().describe('`none`, `previous` or `next`.').optional(),
    }),
    responses: { 200: COMING },
  },
  examples: [
    {
      name: 'weekdays',
      body: { cronSchedule: '0 6 * * 1-5', timezone: 'Europe/Stockholm', count: 1 },
      status: 200,
      answer: COMING_EXAMPLE,
    },
  ],
}

const text = z.string().nullable()

const RUN_VIEW = z.object({
  runId: z.string(),
  scheduleId: z.string(),
  dueAt: z.string(),
  firedAt: text,
  trigger: z.enum(['cron', 'manual', 'misfire']),
  state: z.enum(['running', 'finished', 'skipped']),
  outcome: z.enum(RUN_OUTCOMES).nullable(),
  reason: z.enum(['WINDOW', 'CALENDAR', 'OVERLAP', 'MAINTENANCE', 'MISFIRE', 'SHADOW_MODE']).nullable(),
  tasks: z.array(z.object({ taskId: z.string(), executionId: text, outcome: z.enum(RUN_OUTCOMES).nullable() })),
  detail: text,
})

export const RUNS: RouteDescription = {
  summary: 'The runs of a schedule',
  description: 'Newest first, skipped ones included.',
  schemas: {
    params: PARAMS,
    query: z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor }),
    responses: { 200: z.object({ runs: z.array(RUN_VIEW), nextCursor: text }) },
  },
  examples: [
    {
      name: 'runs',
      params: { id: ID },
      status: 200,
      answer: {
        runs: [
          {
            ...{ runId: '019cacea-e080-7cba-a551-2100f80b56fc', scheduleId: ID },
            ...{ dueAt: '2026-03-02T05:00:00.000Z', firedAt: '2026-03-02T05:00:00.004Z', trigger: 'cron' },
            ...{ state: 'finished', outcome: 'success', reason: null },
            tasks: [{ taskId: TASK, executionId: 'e5000000-0000-4000-8000-000000000001', outcome: 'success' }],
            detail: null,
          },
        ],
        nextCursor: null,
      },
    },
  ],
}

export const RUN: RouteDescription = {
  summary: 'Run a schedule now',
  description: 'Also when it is stopped; windows and calendars are not asked.',
  schemas: { params: PARAMS, responses: { 202: z.object({ runId: z.string() }) } },
  failures: CHANGE_FAILURES,
  examples: [
    { name: 'now', params: { id: ID }, status: 202, answer: { runId: '019cacea-e080-7cba-a551-2100f80b56fc' } },
  ],
}
