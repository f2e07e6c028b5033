/** What the description of the API says about apps. */
import { z } from 'zod'
import type { RouteDescription } from '../http/endpoint/description.ts'
import { field } from '../http/endpoint/validation.ts'

export const RELOAD_BODY = field.object({
  reloadMode: field.integer().describe('0, 1 or 2, as DoReload of the engine has them. Default 0.').optional(),
  partialReload: field.boolean().describe('Default false.').optional(),
  startQSEoWTaskOnSuccess: field
    .array(field.string())
    .describe('Ids of tasks to start after a reload that succeeded.')
    .optional(),
  startQSEoWTaskOnFailure: field
    .array(field.string())
    .describe('Ids of tasks to start after a reload that failed.')
    .optional(),
})

const APP = z.object({ id: z.string(), name: z.string() })
const PARAMS = z.object({ appId: z.string().describe('Id of the app.') })

const items = z.array(z.looseObject({}))

const DUMP = z
  .object({
    properties: z.looseObject({}),
    loadScript: z.string(),
    lineage: items.optional(),
    sheets: items,
    stories: items,
    masterobjects: items,
    appprops: items,
    dataconnections: items,
    dimensions: items,
    measures: items,
    bookmarks: items,
    embeddedmedia: items,
    snapshots: items,
    fields: items,
    variables: items,
    appId: z.string(),
  })
  .describe('The app, without its data; the order is always the same.')

const RELOAD_ANSWER = z
  .object({
    appId: z.string(),
    executionId: z.string().describe('To follow the reload.'),
    tasksDenied: z
      .array(z.object({ taskId: z.string() }))
      .describe('Tasks that the start filter does not allow to follow; absent when there are none.')
      .optional(),
  })
  .describe('The app is open and its reload begins.')

const ENGINE_FAILURES = {
  502: 'The Qlik engine is unreachable or refuses.',
  504: 'The Qlik engine is silent.',
} as const

const WITH_APP = { ...ENGINE_FAILURES, 422: 'There is no such app, or the configured user may not open it.' } as const

const SALES = 'a1000000-0000-4000-8000-000000000002'
const INVENTORY = 'a1000000-0000-4000-8000-000000000008'

export const LIST: RouteDescription = {
  summary: 'List the apps that the configured user may see',
  schemas: { responses: { 200: z.array(APP).describe('The apps, in the order of the engine.') } },
  failures: ENGINE_FAILURES,
  examples: [{ name: 'list', status: 200, answer: [{ id: SALES, name: 'Sales Dashboard' }] }],
}

export const DUMP_APP: RouteDescription = {
  summary: 'Everything that describes an app, without its data',
  description: 'For backups and comparisons: the same app gives the same bytes.',
  schemas: { params: PARAMS, responses: { 200: DUMP } },
  failures: WITH_APP,
  examples: [
    {
      name: 'dump',
      params: { appId: SALES },
      status: 200,
      answer: {
        properties: { qTitle: 'Sales Dashboard' },
        loadScript: '///$tab Main\r\nLOAD 1;',
        lineage: [],
        sheets: [],
        stories: [],
        masterobjects: [],
        appprops: [],
        dataconnections: [],
        dimensions: [],
        measures: [],
        bookmarks: [],
        embeddedmedia: [],
        snapshots: [],
        fields: [],
        variables: [],
        appId: SALES,
      },
    },
  ],
}

export const RELOAD: RouteDescription = {
  summary: 'Reload an app without a task',
  description: 'The answer comes when the app is open, before the reload. Tasks that follow are started at its end.',
  schemas: { params: PARAMS, body: RELOAD_BODY, responses: { 201: RELOAD_ANSWER } },
  failures: { ...WITH_APP, 409: 'Footman runs in shadow mode, which reloads nothing.' },
  examples: [
    {
      name: 'partial-reload-then-a-task',
      params: { appId: INVENTORY },
      body: {
        reloadMode: 0,
        partialReload: true,
        startQSEoWTaskOnSuccess: ['a8b4c123-def4-5678-9abc-def012345678'],
        startQSEoWTaskOnFailure: [],
      },
      status: 201,
      answer: { appId: INVENTORY, executionId: '019cad26-62e0-7f58-b914-5b24d108d7ac' },
    },
  ],
}
